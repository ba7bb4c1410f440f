"""What a statement may be made of. Whatever sqlglot knows and these lists do not is refused."""

from sqlglot import exp

# The schema of the views; nobody else's relation is ever named.
SCHEMA = "flight"
# What clients are told the schema is in; PostgreSQL's database may be named otherwise.
CATALOG = "eventmill"
PREFIX = "va_"

QUERIES = frozenset({exp.Select, exp.Union, exp.Except, exp.Intersect, exp.Subquery})
CLAUSES = frozenset(
    {
        *(exp.With, exp.CTE, exp.TableAlias, exp.From, exp.Table, exp.Join, exp.Where, exp.Group, exp.Having),
        *(exp.Rollup, exp.Cube, exp.GroupingSets, exp.Order, exp.Ordered, exp.Limit, exp.Fetch, exp.LimitOptions),
        *(exp.Offset, exp.Distinct, exp.Qualify, exp.Window, exp.WindowSpec, exp.Filter, exp.WithinGroup),
    }
)
VALUES = frozenset(
    {
        *(exp.Alias, exp.Column, exp.Identifier, exp.Star, exp.Literal, exp.Boolean, exp.Null, exp.Tuple, exp.Paren),
        *(exp.Cast, exp.DataType, exp.DataTypeParam, exp.Interval, exp.Var, exp.Parameter),
    }
)
OPERATORS = frozenset(
    {
        *(exp.And, exp.Or, exp.Not, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Is, exp.In, exp.Between),
        *(exp.NullSafeEQ, exp.NullSafeNEQ, exp.Like, exp.ILike, exp.Escape, exp.RegexpLike, exp.Exists, exp.Any),
        *(exp.All, exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.Neg, exp.DPipe, exp.Case, exp.If, exp.AtTimeZone),
    }
)
# What people write → how sqlglot reads it. Those that build long values (repeat, string_agg, array_agg, replace, lpad)
# are left out: one row of theirs may take a gigabyte.
FUNCTIONS: dict[str, type[exp.Expr]] = {
    "count": exp.Count,
    "sum": exp.Sum,
    "avg": exp.Avg,
    "min": exp.Min,
    "max": exp.Max,
    "stddev": exp.Stddev,
    "stddev_pop": exp.StddevPop,
    "stddev_samp": exp.StddevSamp,
    "variance": exp.Variance,
    "var_pop": exp.VariancePop,
    "corr": exp.Corr,
    "covar_pop": exp.CovarPop,
    "covar_samp": exp.CovarSamp,
    "percentile_cont": exp.PercentileCont,
    "percentile_disc": exp.PercentileDisc,
    "median": exp.Median,
    "mode": exp.Mode,
    "any_value": exp.AnyValue,
    "count_if": exp.CountIf,
    "bool_and": exp.LogicalAnd,
    "bool_or": exp.LogicalOr,
    "grouping": exp.Grouping,
    "row_number": exp.RowNumber,
    "rank": exp.Rank,
    "dense_rank": exp.DenseRank,
    "percent_rank": exp.PercentRank,
    "cume_dist": exp.CumeDist,
    "ntile": exp.Ntile,
    "lag": exp.Lag,
    "lead": exp.Lead,
    "first_value": exp.FirstValue,
    "last_value": exp.LastValue,
    "nth_value": exp.NthValue,
    "abs": exp.Abs,
    "ceil": exp.Ceil,
    "floor": exp.Floor,
    "round": exp.Round,
    "trunc": exp.Trunc,
    "sign": exp.Sign,
    "sqrt": exp.Sqrt,
    "power": exp.Pow,
    "exp": exp.Exp,
    "ln": exp.Ln,
    "log": exp.Log,
    "div": exp.IntDiv,
    "width_bucket": exp.WidthBucket,
    "greatest": exp.Greatest,
    "least": exp.Least,
    "coalesce": exp.Coalesce,
    "nullif": exp.Nullif,
    "lower": exp.Lower,
    "upper": exp.Upper,
    "initcap": exp.Initcap,
    "trim": exp.Trim,
    "length": exp.Length,
    "substring": exp.Substring,
    "concat": exp.Concat,
    "concat_ws": exp.ConcatWs,
    "position": exp.StrPosition,
    "split_part": exp.SplitPart,
    "left": exp.Left,
    "right": exp.Right,
    "starts_with": exp.StartsWith,
    "reverse": exp.Reverse,
    "md5": exp.MD5,
    "now": exp.CurrentTimestamp,
    "current_date": exp.CurrentDate,
    "localtimestamp": exp.Localtimestamp,
    "date_trunc": exp.TimestampTrunc,
    "extract": exp.Extract,
    "to_char": exp.TimeToStr,
    "to_date": exp.StrToDate,
    "to_timestamp": exp.UnixToTime,
    "date_add": exp.DateAdd,
    "date_sub": exp.DateSub,
    "date_diff": exp.DateDiff,
    "year": exp.Year,
    "month": exp.Month,
    "day": exp.Day,
    "epoch": exp.TimeToUnix,
}
# Those that sqlglot knows by name only.
NAMED_FUNCTIONS = frozenset({"every", "make_date", "age", "isfinite"})
FUNCTION_NAMES = tuple(sorted({*FUNCTIONS, *NAMED_FUNCTIONS}))
# The same question has another answer later.
CLOCKS = frozenset({exp.CurrentTimestamp, exp.CurrentDate, exp.Localtimestamp})

NODES = frozenset({*QUERIES, *CLAUSES, *VALUES, *OPERATORS, *FUNCTIONS.values(), exp.Anonymous, exp.DateTrunc})
TYPES = frozenset(
    {
        *("SMALLINT", "INT", "BIGINT", "FLOAT", "DOUBLE", "DECIMAL", "BOOLEAN", "TEXT", "VARCHAR", "CHAR", "DATE"),
        *("TIMESTAMP", "TIMESTAMPTZ", "TIME", "INTERVAL"),
    }
)
# Names that stand without quotes in the text: units of time, and LIMIT ALL.
WORDS = frozenset(
    {
        *(
            "CENTURY",
            "DAY",
            "DAYS",
            "DECADE",
            "DOW",
            "DOY",
            "EPOCH",
            "HOUR",
            "HOURS",
            "ISODOW",
            "ISOYEAR",
            "MICROSECONDS",
        ),
        *(
            "MICROSECOND",
            "MILLENNIUM",
            "MILLISECOND",
            "MILLISECONDS",
            "MINUTE",
            "MINUTES",
            "MONTH",
            "MONTHS",
            "QUARTER",
        ),
        *("QUARTERS", "SECOND", "SECONDS", "TIMEZONE", "WEEK", "WEEKS", "YEAR", "YEARS", "ALL"),
    }
)
# `row.name` calls the function of that name in PostgreSQL; these would gather a whole table into one value.
GATHERING = frozenset({"array_agg", "json_agg", "json_agg_strict", "jsonb_agg", "jsonb_agg_strict", "xmlagg"})
