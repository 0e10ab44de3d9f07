package pg

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// SmokeQuery is a question with what is expected of its answer.
type SmokeQuery struct {
	Name    string   `lua:"name" doc:"What the result is called."`
	SQL     string   `lua:"sql" doc:"One statement that reads; the first column of its first row is the value."`
	Params  []any    `lua:"params,optional" doc:"Values for $1, $2 and so on."`
	Equals  any      `lua:"equals,optional" doc:"The value has to be this."`
	AtLeast *float64 `lua:"at_least" doc:"The value has to be a number not below this."`
	AtMost  *float64 `lua:"at_most" doc:"The value has to be a number not above this."`
	Rows    *int     `lua:"rows" doc:"There have to be so many rows; without any expectation at least one."`
}

type smokeArgs struct {
	Host     string        `lua:"host" doc:"Name or address of the server, with :port when it is not the configured one."`
	Database string        `lua:"database,optional" doc:"Database to ask; that of the settings when not given."`
	Queries  []SmokeQuery  `lua:"queries" doc:"The questions; all are asked, whatever comes of the others."`
	Within   time.Duration `lua:"within" default:"30s" doc:"How long each may run."`
}

// SmokeAnswer is what came of one question.
type SmokeAnswer struct {
	OK      bool   `lua:"ok" doc:"Whether the answer is as expected."`
	Value   any    `lua:"value,optional" doc:"First column of the first row."`
	Rows    int64  `lua:"rows" doc:"How many rows there were."`
	Problem string `lua:"problem,optional" doc:"What is wrong."`
	Cause   string `lua:"cause,optional" doc:"Its usual cause."`
	WayOut  string `lua:"way_out,optional" doc:"What to do."`
}

// Smoked is what came of all of them.
type Smoked struct {
	OK      bool                   `lua:"ok" doc:"Whether every answer is as expected."`
	Failed  []string               `lua:"failed" doc:"Names of those that are not, in the order asked."`
	Results map[string]SmokeAnswer `lua:"results" doc:"What came of each, by name."`
	Says    string                 `lua:"says" doc:"What came of them, in one sentence, with the usual cause of what is wrong."`
}

// sentence tells of the answers for people.
func (s Smoked) sentence() string {
	if s.OK {
		return fmt.Sprintf("all of %d answers are as expected", len(s.Results))
	}
	var wrong []string
	for _, name := range s.Failed {
		a := s.Results[name]
		wrong = append(wrong, fmt.Sprintf("%s: %s (usually: %s)", name, a.Problem, a.Cause))
	}
	return strings.Join(wrong, "; ")
}

var smoke = binding.Func[*Client, smokeArgs, Smoked]{
	Name: "smoke", Effect: binding.Reads,
	Doc: "Ask a database several questions and hold each answer against what is expected, after a restore or a failover. All are asked, each in a read-only " +
		"transaction of its own; one that fails or answers otherwise is a result, not a fault. Only a server that cannot be reached raises.",
	Raises: []fault.Kind{fault.NotFound, fault.Denied, fault.Invalid, fault.Unavailable, fault.Timeout},
	Example: `pg.smoke { host = "203.0.113.10", database = "webhost_prod", queries = { { name = "customers", sql = "select count(*) from customers", at_least = 1 }, ` +
		`{ name = "newest", sql = "select max(created_at) > now() - interval '1 day' from customers", equals = true } } }`,
	Target: "host",
	Call:   (*Client).smoke,
}

func (c *Client) smoke(ctx context.Context, a smokeArgs) (Smoked, error) {
	op := "ask smoke queries of " + a.Host
	out := Smoked{Failed: []string{}, Results: map[string]SmokeAnswer{}}
	if len(a.Queries) == 0 {
		return out, fault.New(fault.Invalid, "there is no query").WithOp("%s", op).WithHint(`queries = { { name = "customers", sql = "select count(*) from customers", at_least = 1 } }`)
	}
	names := map[string]bool{}
	for _, q := range a.Queries {
		if q.Name == "" || names[q.Name] {
			return out, fault.New(fault.Invalid, "every query needs a name of its own, and %q is not", q.Name).WithOp("%s", op)
		}
		names[q.Name] = true
	}
	for i, q := range a.Queries {
		binding.Progress(ctx, "%s: %s, %d of %d", op, q.Name, i+1, len(a.Queries))
		answer, err := c.smokeOne(ctx, a, q)
		if err != nil {
			return out, err
		}
		if !answer.OK {
			out.Failed = append(out.Failed, q.Name)
		}
		out.Results[q.Name] = answer
	}
	out.OK = len(out.Failed) == 0
	out.Says = out.sentence()
	return out, nil
}

// smokeOne asks one question. What the server says to it is its answer; that
// the server cannot be asked is a fault.
func (c *Client) smokeOne(ctx context.Context, a smokeArgs, q SmokeQuery) (SmokeAnswer, error) {
	var out SmokeAnswer
	asked := false
	err := c.reading(ctx, a.Host, a.Database, a.Within, func(ctx context.Context, tx pgx.Tx) error {
		asked = true
		params := parameters(q.Params)
		if err := fits(ctx, tx.Conn(), q.SQL, params); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, q.SQL, append([]any{pgx.QueryResultFormats{pgx.TextFormatCode}}, params...)...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for ; rows.Next(); out.Rows++ {
			if fields := rows.FieldDescriptions(); out.Rows == 0 && len(fields) > 0 {
				out.Value = value(tx.Conn().TypeMap(), fields[0].DataTypeOID, rows.RawValues()[0])
			}
		}
		return rows.Err()
	})
	if err == nil {
		out.judge(q)
		return out, nil
	}
	f := fault.As(err)
	var said *pgconn.PgError
	if !asked || !errors.As(err, &said) && f.Kind != fault.Invalid {
		return out, err
	}
	if f.Kind == fault.Unavailable || f.Kind == fault.Cancelled {
		return out, err // the server went away, and the others would not be answered either
	}
	return SmokeAnswer{Problem: f.Message, Cause: usualCause(f.Kind), WayOut: f.Hint}, nil
}

// usualCause of a question that the server refuses.
func usualCause(k fault.Kind) string {
	switch k {
	case fault.NotFound:
		return "a table or a column is not there: the restore was not complete, it is another database, or a migration was not run"
	case fault.Denied:
		return "the rights were not restored, or the role is another one"
	case fault.Timeout:
		return "a lock is held, an index is missing, or the disk is slow"
	case fault.Exhausted:
		return "disk, memory or connections of the server are used up"
	case fault.Invalid:
		return "the statement is wrong, or it is one that changes data"
	case fault.Failed:
		return "a file or a page of the database is damaged"
	}
	return "another session is in the way"
}

// judge holds the answer against what is expected. What came is in the value,
// not in the text: a message quotes no rows.
func (s *SmokeAnswer) judge(q SmokeQuery) {
	bad := func(text, cause string) {
		if s.Problem == "" {
			s.Problem, s.Cause, s.WayOut = text, cause, "compare with the backup or the old primary (pg.counts, pg.newest) before customers are let in"
		}
	}
	const lost = "rows are missing or older than expected: the backup or the replica was behind, or the database is another one"
	wanted := q.Equals != nil || q.AtLeast != nil || q.AtMost != nil
	switch {
	case q.Rows != nil && s.Rows != int64(*q.Rows):
		bad(fmt.Sprintf("there are %d rows, not %d", s.Rows, *q.Rows), lost)
	case s.Rows == 0 && (wanted || q.Rows == nil):
		bad("there is no row", lost)
	}
	if s.Rows > 0 && wanted {
		if q.Equals != nil && !reflect.DeepEqual(s.Value, q.Equals) {
			bad(fmt.Sprintf("the value is not the expected %s", kindOf(q.Equals)), lost)
		}
		n, number := s.Value.(float64)
		switch {
		case (q.AtLeast != nil || q.AtMost != nil) && !number:
			bad("the value is no number", "the statement asks for something else: cast it, or the table is empty")
		case q.AtLeast != nil && n < *q.AtLeast:
			bad(fmt.Sprintf("the value is below %v", numeral(*q.AtLeast)), lost)
		case q.AtMost != nil && n > *q.AtMost:
			bad(fmt.Sprintf("the value is above %v", numeral(*q.AtMost)), "rows came twice, or something grows that should not")
		}
	}
	s.OK = s.Problem == ""
}
