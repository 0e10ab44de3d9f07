package pg

import (
	"net"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/webhost-systems/drhost/host/fault"
)

// turningAway is a server that answers every login with an error.
func turningAway(t *testing.T, code, message string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			turnAway(conn, code, message)
			conn.Close()
		}
	}()
	return listener.Addr().String()
}

func turnAway(conn net.Conn, code, message string) {
	backend := pgproto3.NewBackend(conn, conn)
	for {
		first, err := backend.ReceiveStartupMessage()
		if err != nil {
			return
		}
		if _, asksForTLS := first.(*pgproto3.SSLRequest); asksForTLS {
			if _, err := conn.Write([]byte("N")); err != nil {
				return
			}
			continue
		}
		backend.Send(&pgproto3.ErrorResponse{Severity: "SCHWERWIEGEND", SeverityUnlocalized: "FATAL", Code: code, Message: message})
		_ = backend.Flush() // the client is gone then
		return
	}
}

func TestAServerThatTurnsUsAwaySaysWhatToDo(t *testing.T) {
	for _, c := range []struct {
		code, message string
		kind          fault.Kind
		passing       bool
		says          string
	}{
		{"57P03", "the database system is starting up", fault.Unavailable, true, "pg.wait_ready"},
		{"57P03", "the database system is not yet accepting connections", fault.Unavailable, true, "pg.wait_ready"},
		{"53300", "sorry, too many clients already", fault.Exhausted, true, "max_connections"},
		{"28000", "no pg_hba.conf entry for host", fault.Denied, false, "pg_hba.conf"},
		{"28P01", "password authentication failed", fault.Denied, false, "PGPASSWORD"},
		{"3D000", "database does not exist", fault.NotFound, false, "pg.databases"},
		{"55000", "database is not currently accepting connections", fault.Conflict, false, "not currently accepting"},
		{"58P01", "could not open file", fault.Failed, false, "damaged"},
	} {
		host := turningAway(t, c.code, c.message)
		_, err := call(t, client(t, nil, nil), "execute", map[string]any{"host": host, "sql": "select 1"})
		f := fault.As(err)
		if f.Kind != c.kind || f.Transient != c.passing || f.Sent != fault.NotDone || !strings.Contains(f.Error()+f.Hint, c.says) {
			t.Errorf("%s: %s, passing %v, sent %v: %v (%s)", c.code, f.Kind, f.Transient, f.Sent, err, f.Hint)
		}
		got, err := call(t, client(t, nil, nil), "ready", map[string]any{"host": host})
		if err != nil || got.(map[string]any)["ok"] != false || !strings.Contains(got.(map[string]any)["reason"].(string), c.message) {
			t.Errorf("%s: ready says %v, %v", c.code, got, err)
		}
	}
}

func TestTheEndOfASessionIsUnclearInAnyLanguage(t *testing.T) {
	f := translate(&pgconn.PgError{Severity: "SCHWERWIEGEND", SeverityUnlocalized: "FATAL", Code: "57P01", Message: "x"}, "run")
	if f.Sent != fault.Unclear || !f.Transient {
		t.Errorf("%v %v", f.Sent, f.Transient)
	}
	f = translate(&pgconn.PgError{Severity: "FEHLER", SeverityUnlocalized: "ERROR", Code: "23505", Message: "x"}, "run")
	if f.Sent != fault.NotDone {
		t.Errorf("%v", f.Sent)
	}
}
