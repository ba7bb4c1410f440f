"""The messages of Flight SQL that clients send and get, by the field numbers of the protocol's FlightSql.proto."""

from typing import Any

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message

PACKAGE = "arrow.flight.protocol.sql"
_PREFIX = f"type.googleapis.com/{PACKAGE}."
_Field = descriptor_pb2.FieldDescriptorProto
_TEXT, _BYTES, _FLAG = _Field.TYPE_STRING, _Field.TYPE_BYTES, _Field.TYPE_BOOL
_UNSIGNED, _SIGNED = _Field.TYPE_UINT32, _Field.TYPE_INT32
_ONE, _OPTIONAL, _MANY = "one", "optional", "many"

# Message → (field, number, type, how often).
_MESSAGES: dict[str, list[tuple[str, int, Any, str]]] = {
    "CommandStatementQuery": [("query", 1, _TEXT, _ONE), ("transaction_id", 2, _BYTES, _OPTIONAL)],
    "TicketStatementQuery": [("statement_handle", 1, _BYTES, _ONE)],
    "CommandPreparedStatementQuery": [("prepared_statement_handle", 1, _BYTES, _ONE)],
    "DoPutPreparedStatementResult": [("prepared_statement_handle", 1, _BYTES, _OPTIONAL)],
    "ActionCreatePreparedStatementRequest": [("query", 1, _TEXT, _ONE), ("transaction_id", 2, _BYTES, _OPTIONAL)],
    "ActionCreatePreparedStatementResult": [
        ("prepared_statement_handle", 1, _BYTES, _ONE),
        ("dataset_schema", 2, _BYTES, _ONE),
        ("parameter_schema", 3, _BYTES, _ONE),
    ],
    "ActionClosePreparedStatementRequest": [("prepared_statement_handle", 1, _BYTES, _ONE)],
    "CommandGetSqlInfo": [("info", 1, _UNSIGNED, _MANY)],
    "CommandGetXdbcTypeInfo": [("data_type", 1, _SIGNED, _OPTIONAL)],
    "CommandGetCatalogs": [],
    "CommandGetDbSchemas": [("catalog", 1, _TEXT, _OPTIONAL), ("db_schema_filter_pattern", 2, _TEXT, _OPTIONAL)],
    "CommandGetTables": [
        ("catalog", 1, _TEXT, _OPTIONAL),
        ("db_schema_filter_pattern", 2, _TEXT, _OPTIONAL),
        ("table_name_filter_pattern", 3, _TEXT, _OPTIONAL),
        ("table_types", 4, _TEXT, _MANY),
        ("include_schema", 5, _FLAG, _ONE),
    ],
    "CommandGetTableTypes": [],
}


def _classes() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="eventmill_flight_sql.proto", package=PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind, often in fields:
            label = _Field.LABEL_REPEATED if often == _MANY else _Field.LABEL_OPTIONAL
            added = message.field.add(name=field, number=number, type=kind, label=label)
            if often == _OPTIONAL:
                # As protobuf's compiler spells a field whose absence can be told.
                added.proto3_optional, added.oneof_index = True, len(message.oneof_decl)
                message.oneof_decl.add(name=f"_{field}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}")) for name in _MESSAGES
    }


_CLASSES = _classes()


def unpack(data: bytes) -> tuple[str, Any] | None:
    """Name and content of a Flight SQL message; None for bytes that are none. The content is None for unknown ones."""
    if _PREFIX.encode() not in data[: len(_PREFIX) + 8]:
        return None
    packed = any_pb2.Any()
    try:
        packed.ParseFromString(data)
        name = packed.type_url.removeprefix(_PREFIX)
        if name not in _CLASSES:
            return name, None
        return name, _CLASSES[name].FromString(packed.value)
    except DecodeError:
        return None


def pack(name: str, **fields: Any) -> bytes:
    """A Flight SQL message as clients expect it, inside an Any."""
    packed: bytes = any_pb2.Any(type_url=_PREFIX + name, value=encode(name, **fields)).SerializeToString()
    return packed


def encode(name: str, **fields: Any) -> bytes:
    """A message by itself."""
    message: Message = _CLASSES[name](**fields)
    encoded: bytes = message.SerializeToString()
    return encoded
