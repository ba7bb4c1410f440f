"""The Flight server: plain Flight with SQL as command, and Flight SQL for the ADBC drivers."""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import pyarrow as pa
from pyarrow import flight

from query_service.flight import metadata
from query_service.flight.identity import MIDDLEWARE, Identity, NoHandshake, SignIn
from query_service.flight.limits import Limits
from query_service.flight.messages import encode, pack, unpack
from query_service.flight.queries import Described, FlightQueries
from query_service.flight.refusals import NoTicket, Refused, raise_for_client
from query_service.flight.tickets import Ticket, TicketOffice
from query_service.reader import Reader

CREATE, CLOSE = "CreatePreparedStatement", "ClosePreparedStatement"
PARAMETER_ROWS = 1

Method = TypeVar("Method", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class FlightTls:
    """PEM texts: certificate chain and key, and the authorities of clients' certificates (None: none is asked for)."""

    certificate: bytes
    key: bytes
    client_authorities: bytes | None


def answered(method: Method) -> Method:
    """Turn any error of a handler into one of Flight's own."""

    @functools.wraps(method)
    def handle(*args: Any) -> Any:
        try:
            return method(*args)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets Flight's own words for it
            raise_for_client(error)

    return cast("Method", handle)


class FlightServer(flight.FlightServerBase):  # type: ignore[misc]  # pyarrow has no types
    """Listens from its construction on, until `shutdown`."""

    def __init__(
        self,
        address: str,
        port: int,
        queries: FlightQueries,
        identity: Identity,
        limits: Limits,
        tls: FlightTls | None = None,
    ) -> None:
        host = f"[{address}]" if ":" in address else address
        scheme = "grpc" if tls is None else "grpc+tls"
        secured: dict[str, Any] = {} if tls is None else {"tls_certificates": [(tls.certificate, tls.key)]}
        if tls is not None and tls.client_authorities is not None:
            secured |= {"verify_client": True, "root_certificates": tls.client_authorities}
        self._queries, self._limits = queries, limits
        self._office: TicketOffice | None = None
        middleware = {MIDDLEWARE: SignIn(identity)}
        super().__init__(f"{scheme}://{host}:{port}", auth_handler=NoHandshake(), middleware=middleware, **secured)

    @answered
    def get_flight_info(
        self, context: flight.ServerCallContext, descriptor: flight.FlightDescriptor
    ) -> flight.FlightInfo:
        """Schema and ticket of a statement, or of a metadata command, whose ticket is the command itself."""
        reader, command = _reader(context), _command(descriptor)
        message = unpack(command)
        if message is None:
            sql = _text(command)
            return self._info(descriptor, self._queries.describe(sql), sql, reader, lambda ticket: ticket)
        name, content = message
        if name == "CommandStatementQuery":
            described = self._queries.describe(content.query)
            return self._info(descriptor, described, content.query, reader, _statement_ticket)
        if name == "CommandPreparedStatementQuery":
            prepared = self._tickets().take("prepared", content.prepared_statement_handle, reader)
            described = self._queries.describe(prepared.sql, prepared.values)
            return self._info(descriptor, described, prepared.sql, reader, _statement_ticket, prepared.values)
        schema = metadata.schema_of_answer(name, content)
        if schema is None:
            raise Refused(f"{name} is not supported.")
        return flight.FlightInfo(schema, descriptor, [flight.FlightEndpoint(flight.Ticket(command), [])], -1, -1)

    @answered
    def get_schema(self, context: flight.ServerCallContext, descriptor: flight.FlightDescriptor) -> flight.SchemaResult:
        """The schema that `get_flight_info` tells."""
        return flight.SchemaResult(FlightServer.get_flight_info(self, context, descriptor).schema)

    @answered
    def do_get(self, context: flight.ServerCallContext, ticket: flight.Ticket) -> flight.FlightDataStream:
        """The rows of a ticket."""
        reader, text = _reader(context), bytes(ticket.ticket)
        message = unpack(text)
        if message is not None:
            name, content = message
            if name != "TicketStatementQuery":
                table = metadata.answer(name, content, self._queries.views)
                if table is None:
                    raise NoTicket
                return flight.RecordBatchStream(table)
            text = content.statement_handle
        taken = self._tickets().take("ticket", text, reader)
        described = self._queries.describe(taken.sql, taken.values)
        _check_complete(described)
        rows = self._queries.run(described, reader, context.is_cancelled)
        if isinstance(rows, pa.Table):
            return flight.RecordBatchStream(rows)
        return flight.GeneratorStream(described.schema, _told(rows))

    @answered
    def list_actions(self, context: flight.ServerCallContext) -> list[tuple[str, str]]:
        """The actions of prepared statements."""
        _reader(context)
        return [(CREATE, "Check a statement and tell its schemas."), (CLOSE, "Forget it.")]

    @answered
    def do_action(self, context: flight.ServerCallContext, action: flight.Action) -> list[flight.Result]:
        """Prepare a statement; nothing is kept here, so there is nothing to close."""
        reader = _reader(context)
        message = unpack(action.body.to_pybytes())
        if action.type == CLOSE:
            return []
        if action.type != CREATE or message is None or message[1] is None:
            raise Refused(f"The action {action.type[:60]} is not supported: {CREATE} and {CLOSE} are.")
        return [flight.Result(pa.py_buffer(self._prepare(message[1].query, reader)))]

    @answered
    def do_put(
        self,
        context: flight.ServerCallContext,
        descriptor: flight.FlightDescriptor,
        reader: flight.MetadataRecordBatchReader,
        writer: flight.FlightMetadataWriter,
    ) -> None:
        """Bind the parameters of a prepared statement; the answer is its handle with them."""
        who, message = _reader(context), unpack(_command(descriptor))
        if message is None or message[0] != "CommandPreparedStatementQuery":
            raise Refused("Nothing can be written: the views are read only.")
        prepared = self._tickets().take("prepared", message[1].prepared_statement_handle, who)
        values = _parameters(reader)
        self._queries.describe(prepared.sql, values)
        handle = self._handle(prepared, who, values)
        writer.write(pa.py_buffer(encode("DoPutPreparedStatementResult", prepared_statement_handle=handle)))

    def _handle(self, prepared: Ticket, reader: Reader, values: list[Any] | None) -> bytes:
        return self._tickets().issue("prepared", prepared.sql, reader, self._limits.handle_seconds, values)

    def _prepare(self, sql: str, reader: Reader) -> bytes:
        described = self._queries.describe(sql)
        return pack(
            "ActionCreatePreparedStatementResult",
            prepared_statement_handle=self._tickets().issue("prepared", sql, reader, self._limits.handle_seconds),
            dataset_schema=described.schema.serialize().to_pybytes(),
            parameter_schema=described.parameters.serialize().to_pybytes(),
        )

    def _info(
        self,
        descriptor: flight.FlightDescriptor,
        described: Described,
        sql: str,
        reader: Reader,
        wrap: Callable[[bytes], bytes],
        values: list[Any] | None = None,
    ) -> flight.FlightInfo:
        ticket = wrap(self._tickets().issue("ticket", sql, reader, self._limits.ticket_seconds, values))
        return flight.FlightInfo(
            described.schema, descriptor, [flight.FlightEndpoint(flight.Ticket(ticket), [])], -1, -1
        )

    def _tickets(self) -> TicketOffice:
        if self._office is None:
            self._office = TicketOffice(self._queries.postgres.access().key("tickets"))
        return self._office


def _told(rows: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    try:
        yield from rows
    except Exception as error:  # noqa: BLE001 - whatever it is, the client gets Flight's own words for it
        raise_for_client(error)


def _reader(context: flight.ServerCallContext) -> Reader:
    reader: Reader = context.get_middleware(MIDDLEWARE).reader
    return reader


def _command(descriptor: flight.FlightDescriptor) -> bytes:
    if descriptor.descriptor_type != flight.DescriptorType.CMD:
        raise Refused("A descriptor is FlightDescriptor.for_command(sql).")
    command: bytes = descriptor.command
    return command


def _text(command: bytes) -> str:
    try:
        return command.decode()
    except UnicodeDecodeError:
        raise Refused("The command is SQL in UTF-8.") from None


def _statement_ticket(ticket: bytes) -> bytes:
    return pack("TicketStatementQuery", statement_handle=ticket)


def _check_complete(described: Described) -> None:
    if described.statement.parameters:
        raise Refused(f"The statement has {described.statement.parameters} parameters, and no values came.")


def _parameters(rows: flight.MetadataRecordBatchReader) -> list[Any]:
    """The one row that comes; whatever follows it is not read."""
    batch = next((chunk.data for chunk in rows if chunk.data is not None), None)
    if batch is None or batch.num_rows != PARAMETER_ROWS:
        raise Refused("Parameters are one row of values.")
    return [_value(column[0].as_py()) for column in batch.columns]


def _value(value: Any) -> Any:
    """A parameter's value as a ticket can hold it: what JSON has no word for goes as text."""
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
