package pg

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/webhost-systems/drhost/host/fault"
)

// numeral is a number of a script on its way to a column of any type: the
// driver picks the form that the column takes, and a fraction is refused where
// only whole numbers fit.
type numeral float64

// Int64Value implements pgtype.Int64Valuer.
func (n numeral) Int64Value() (pgtype.Int8, error) {
	if f := float64(n); f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return pgtype.Int8{}, fmt.Errorf("%s is no whole number that is known exactly", n)
	}
	return pgtype.Int8{Int64: int64(n), Valid: true}, nil
}

// Float64Value implements pgtype.Float64Valuer.
func (n numeral) Float64Value() (pgtype.Float8, error) {
	return pgtype.Float8{Float64: float64(n), Valid: true}, nil
}

// TextValue implements pgtype.TextValuer.
func (n numeral) TextValue() (pgtype.Text, error) {
	return pgtype.Text{String: n.String(), Valid: true}, nil
}

func (n numeral) String() string { return strconv.FormatFloat(float64(n), 'f', -1, 64) }

// parameters makes plain data fit for the driver.
func parameters(plain []any) []any {
	out := make([]any, len(plain))
	for i, v := range plain {
		switch v := v.(type) {
		case float64:
			out[i] = numeral(v)
		case []any:
			out[i] = parameters(v)
		default:
			out[i] = v
		}
	}
	return out
}

// fits lets the server parse the statement and holds the parameters against
// what it expects. Whatever fails here, nothing was executed.
func fits(ctx context.Context, conn *pgx.Conn, sql string, params []any) error {
	parsed, err := conn.Prepare(ctx, "", sql)
	if err != nil {
		return translate(err, "parse the statement").NothingDone()
	}
	if len(parsed.ParamOIDs) != len(params) {
		return fault.New(fault.Invalid, "the statement takes %d values in params, not %d", len(parsed.ParamOIDs), len(params)).NothingDone()
	}
	types := conn.TypeMap()
	for i, oid := range parsed.ParamOIDs {
		if _, text := params[i].(string); text {
			continue // the server reads it
		}
		if _, err := types.Encode(oid, types.FormatCodeForOID(oid), params[i], nil); err != nil {
			return fault.New(fault.Invalid, "the value for $%d is a %s, and a %s is expected", i+1, kindOf(params[i]), typeName(types, oid)).
				WithHint("give it as text, and say in the statement what it is: $%d::text::%s", i+1, typeName(types, oid)).NothingDone()
		}
	}
	return nil
}

// kindOf names a value without showing it.
func kindOf(v any) string {
	switch v := v.(type) {
	case float64:
		return kindOf(numeral(v))
	case numeral:
		if float64(v) != math.Trunc(float64(v)) {
			return "number with a fraction"
		}
		return "number"
	case string:
		return "text"
	case bool:
		return "boolean"
	}
	return "table"
}

func typeName(types *pgtype.Map, oid uint32) string {
	if t, ok := types.TypeForOID(oid); ok {
		return t.Name
	}
	return "value of type " + strconv.FormatUint(uint64(oid), 10)
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
		if v, ok := document(raw); ok {
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

// document reads JSON, numbers as number does.
func document(raw []byte) (any, bool) {
	var v any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return nil, false
	}
	return exact(v), true
}

func exact(v any) any {
	switch v := v.(type) {
	case json.Number:
		return number(v.String())
	case []any:
		for i := range v {
			v[i] = exact(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = exact(v[k])
		}
	}
	return v
}

// list reads an array of one dimension; others stay text.
func list(types *pgtype.Map, element uint32, text string) any {
	if strings.HasPrefix(text, "{{") || strings.HasPrefix(text, "[") {
		return text // the driver would flatten it, and lose where it begins
	}
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
