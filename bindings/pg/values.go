package pg

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/webhost-systems/drhost/host/fault"
)

// parameters makes plain data fit for the driver: whole numbers become
// integers, so that they fit integer columns.
func parameters(plain []any) []any {
	out := make([]any, len(plain))
	for i, v := range plain {
		if n, ok := v.(float64); ok && n == math.Trunc(n) && math.Abs(n) <= 1<<53 {
			v = int64(n)
		}
		out[i] = v
	}
	return out
}

// row turns one row in text format into a table by column name.
func row(types *pgtype.Map, fields []pgconn.FieldDescription, raw [][]byte) (map[string]any, error) {
	out := make(map[string]any, len(fields))
	for i, f := range fields {
		if _, twice := out[f.Name]; twice {
			return nil, fault.New(fault.Invalid, "two columns are called %q", f.Name).WithHint("name them apart with AS")
		}
		out[f.Name] = value(types, f.DataTypeOID, raw[i])
	}
	return out, nil
}

// value turns a column's text into plain data: numbers where a float64 holds
// them exactly, else their text; times in RFC 3339; JSON and arrays as tables;
// everything else as PostgreSQL prints it. NULL is nil.
func value(types *pgtype.Map, oid uint32, raw []byte) any {
	if raw == nil {
		return nil
	}
	text := string(raw)
	switch oid {
	case pgtype.BoolOID:
		return text == "t"
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID, pgtype.OIDOID, pgtype.Float4OID, pgtype.Float8OID, pgtype.NumericOID:
		return number(text)
	case pgtype.JSONOID, pgtype.JSONBOID:
		var v any
		if json.Unmarshal(raw, &v) == nil {
			return v
		}
	case pgtype.TimestamptzOID:
		return moment("2006-01-02 15:04:05.999999999Z07", text)
	case pgtype.TimestampOID:
		return moment("2006-01-02 15:04:05.999999999", text)
	}
	if t, ok := types.TypeForOID(oid); ok {
		if array, ok := t.Codec.(*pgtype.ArrayCodec); ok {
			return list(types, array.ElementType.OID, text)
		}
	}
	return text
}

// number returns a float64, or the text itself when a float64 would change
// it: an eight-byte id above 2^53, a long numeric, NaN, Infinity.
func number(text string) any {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(n, 0) || math.IsNaN(n) {
		return text
	}
	digits := strings.TrimLeft(strings.NewReplacer("-", "", ".", "").Replace(text), "0")
	if mantissa, _, _ := strings.Cut(digits, "e"); len(mantissa) > 15 && strconv.FormatFloat(n, 'f', -1, 64) != text &&
		strconv.FormatFloat(n, 'g', -1, 64) != text {
		return text
	}
	return n
}

func moment(layout, text string) any {
	at, err := time.Parse(layout, text)
	if err != nil {
		return text // "infinity", or a year beyond four digits
	}
	return at.UTC().Format(time.RFC3339Nano)
}

// list reads an array of one dimension; others stay text.
func list(types *pgtype.Map, element uint32, text string) any {
	var parts []*string
	if err := types.Scan(pgtype.TextArrayOID, pgtype.TextFormatCode, []byte(text), &parts); err != nil {
		return text
	}
	out := make([]any, len(parts))
	for i, p := range parts {
		if p != nil {
			out[i] = value(types, element, []byte(*p))
		}
	}
	return out
}
