package notify

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/secret"
)

type loopback struct{}

func (loopback) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, network, address)
}
func (loopback) LookupHost(context.Context, string) ([]string, error) { return nil, nil }
func (loopback) Transport() http.RoundTripper {
	return &http.Transport{DisableKeepAlives: true}
}
func (loopback) Forward(_ context.Context, address string) (string, func(), error) {
	return address, func() {}, nil
}

func client(t *testing.T, channels map[string]any, change func(*binding.Env)) *Client {
	t.Helper()
	env := binding.Env{Name: "production", Net: loopback{}, Clock: clock.System{}, Dir: t.TempDir(), Settings: map[string]any{"channels": channels},
		Secret: func(ref string) (secret.Value, error) {
			if name, ok := strings.CutPrefix(strings.TrimPrefix(ref, "plain:"), "env:have:"); ok {
				return secret.New(name), nil
			}
			return secret.Value{}, fault.New(fault.Invalid, "%s is not set", ref)
		}}
	if change != nil {
		change(&env)
	}
	opened, err := Module().Open(env)
	if err != nil {
		t.Fatal(err)
	}
	return opened.(*Client)
}

// call goes the way of the gate: plain data in, plain data out.
func call(t *testing.T, c *Client, name string, args map[string]any) ([]any, error) {
	t.Helper()
	f := Module().Function(name)
	decoded, err := f.Decode(args, c.env.Secret)
	if err != nil {
		t.Fatal(err)
	}
	out, err := f.Call(binding.WithKey(t.Context(), "run-1-call-7"), c, decoded)
	if err != nil {
		return nil, err
	}
	return out.([]any), nil
}

func ok(deliveries []any, name string) bool {
	for _, d := range deliveries {
		if m := d.(map[string]any); m["name"] == name {
			return m["ok"] == true
		}
	}
	return false
}

var hello = map[string]any{"subject": "Hobby tier\nis down", "text": "We are on it.", "severity": "critical"}

func TestDeclarationsAreComplete(t *testing.T) {
	if _, err := binding.NewCatalog(Module()); err != nil {
		t.Fatal(err)
	}
}

// inbox is a webhook that keeps what it gets.
type inbox struct {
	mu      sync.Mutex
	status  int
	headers http.Header
	bodies  []string
	*httptest.Server
}

func newInbox(t *testing.T, status int) *inbox {
	b := &inbox{status: status}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		b.mu.Lock()
		defer b.mu.Unlock()
		b.headers, b.bodies = r.Header, append(b.bodies, string(body))
		if status == 429 {
			w.Header().Set("Retry-After", "7")
		}
		if status == 302 {
			w.Header().Set("Location", "/elsewhere")
		}
		if status == 0 { // cut after having read it
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(b.Close)
	return b
}

func TestSendToAllChannels(t *testing.T) {
	in := newInbox(t, 202)
	c := client(t, map[string]any{"terminal": map[string]any{"kind": "console"}, "log": map[string]any{"kind": "file", "path": "out/messages.jsonl"},
		"hook":  map[string]any{"kind": "webhook", "url": in.URL + "/path-secret", "headers": map[string]any{"Authorization": "env:have:Bearer x"}},
		"quiet": map[string]any{"kind": "file", "path": "quiet", "only": []any{"low"}}}, nil)
	var said string
	ctx := binding.WithProgress(binding.WithKey(t.Context(), "run-1-call-7"), func(text string) { said = text })
	got, err := c.send(ctx, sendArgs{Subject: "Hobby tier\nis down", Text: "We are on it.", Severity: "critical", Within: 5 * time.Second})
	if err != nil || len(got) != 3 || !got[0].OK || !got[1].OK || !got[2].OK {
		t.Fatal(got, err)
	}
	if !strings.Contains(said, "Hobby tier is down (critical)\nWe are on it.") {
		t.Fatalf("%q", said)
	}
	if in.headers.Get("Idempotency-Key") != "run-1-call-7" || in.headers.Get("Authorization") != "Bearer x" {
		t.Fatal(in.headers)
	}
	var m message
	if err := json.Unmarshal([]byte(in.bodies[0]), &m); err != nil || m.Subject != "Hobby tier is down" || m.Drill || m.ID != "run-1-call-7" {
		t.Fatal(m, err)
	}
	text, err := os.ReadFile(filepath.Join(c.env.Dir, "out", "messages.jsonl"))
	if err != nil || strings.Count(string(text), "\n") != 1 || !strings.Contains(string(text), `"severity":"critical"`) {
		t.Fatalf("%s %v", text, err)
	}
}

func TestADrillSaysSo(t *testing.T) {
	for name, change := range map[string]func(*binding.Env){
		"simulated": func(e *binding.Env) { e.Simulated = true },
		"settings":  func(e *binding.Env) { e.Settings["drill"] = true },
	} {
		t.Run(name, func(t *testing.T) {
			in := newInbox(t, 200)
			c := client(t, map[string]any{"hook": map[string]any{"kind": "webhook", "url": in.URL}}, change)
			for _, subject := range []string{"Down", "[DRILL] Down"} {
				if _, err := call(t, c, "send", map[string]any{"subject": subject, "text": "x"}); err != nil {
					t.Fatal(err)
				}
			}
			for _, body := range in.bodies {
				if !strings.Contains(body, `"subject":"[DRILL] Down"`) || !strings.Contains(body, `"drill":true`) {
					t.Fatal(body)
				}
			}
		})
	}
}

func TestADeadChannelDoesNotStopTheOthers(t *testing.T) {
	in := newInbox(t, 500)
	c := client(t, map[string]any{"hook": map[string]any{"kind": "webhook", "url": in.URL},
		"missing": map[string]any{"kind": "webhook", "url": "env:ALERT_URL"}, "log": map[string]any{"kind": "file", "path": "log"}}, nil)
	got, err := call(t, c, "send", hello)
	if err != nil || ok(got, "hook") || ok(got, "missing") || !ok(got, "log") {
		t.Fatal(got, err)
	}
	if len(in.bodies) != 1 {
		t.Fatal("a mutation is not repeated here:", len(in.bodies))
	}
}

func TestAllChannelsFailing(t *testing.T) {
	closed, _ := net.Listen("tcp", "127.0.0.1:0")
	refused := "http://" + closed.Addr().String()
	closed.Close()
	for _, k := range []struct {
		name    string
		url     string
		sent    fault.Sent
		passing bool
		says    string
	}{
		{"5xx", newInbox(t, 503).URL, fault.Unclear, true, "503"},
		{"cut", newInbox(t, 0).URL, fault.Unclear, true, "lost"},
		{"429", newInbox(t, 429).URL, fault.NotDone, true, "429"},
		{"wrong token", newInbox(t, 401).URL, fault.NotDone, false, "credentials"},
		{"409", newInbox(t, 409).URL, fault.NotDone, false, "409"},
		{"redirect", newInbox(t, 302).URL, fault.NotDone, false, "302"},
		{"refused", refused, fault.NotDone, true, "refuses connections"},
		{"unset", "env:ALERT_URL", fault.NotDone, false, "env:ALERT_URL is not set"},
		{"nonsense", "plain:env:have:ftp://token-in-url", fault.NotDone, false, "no http address"},
	} {
		t.Run(k.name, func(t *testing.T) {
			url := k.url
			if strings.HasPrefix(url, "http") {
				url += "/token-in-url"
			}
			c := client(t, map[string]any{"hook": map[string]any{"kind": "webhook", "url": url}}, nil)
			_, err := call(t, c, "send", hello)
			f := fault.As(err)
			if err == nil || f.Kind != fault.Unavailable || f.Sent != k.sent || f.Transient != k.passing || !strings.Contains(f.Message, k.says) {
				t.Fatalf("%+v", f)
			}
			if strings.Contains(f.Error(), "token-in-url") {
				t.Fatal("the address is shown:", f)
			}
			if k.name == "429" && f.RetryAfter != 7*time.Second {
				t.Fatal(f.RetryAfter)
			}
		})
	}
}

func TestASilentWebhookTimesOut(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := client(t, map[string]any{"hook": map[string]any{"kind": "webhook", "url": "http://" + l.Addr().String()}}, nil)
	_, err = call(t, c, "send", map[string]any{"subject": "x", "text": "y", "within": "200ms"})
	if f := fault.As(err); f.Kind != fault.Unavailable || f.Sent != fault.Unclear || !strings.Contains(f.Message, "in time") {
		t.Fatal(err)
	}
}

func TestSettledLooksIntoTheFile(t *testing.T) {
	c := client(t, map[string]any{"log": map[string]any{"kind": "file", "path": "log"}}, nil)
	ctx := binding.WithKey(t.Context(), "run-1-call-7")
	if s, err := c.settled(ctx, sendArgs{}); err != nil || s.Landed != binding.No {
		t.Fatal(s, err)
	}
	path := filepath.Join(c.env.Dir, "log")
	if err := os.WriteFile(path, []byte(`{"id":"run-1-call-7","subj`), 0o600); err != nil { // torn by a crash
		t.Fatal(err)
	}
	if s, err := c.settled(ctx, sendArgs{}); err != nil || s.Landed != binding.No {
		t.Fatal(s, err)
	}
	for range 2 { // the second time finds it there
		if _, err := call(t, c, "send", hello); err != nil {
			t.Fatal(err)
		}
	}
	text, _ := os.ReadFile(path)
	if strings.Count(string(text), "\n") != 2 {
		t.Fatalf("%s", text)
	}
	if s, err := c.settled(ctx, sendArgs{}); err != nil || s.Landed != binding.Yes || len(s.Result) != 1 {
		t.Fatal(s, err)
	}
	hooked := client(t, map[string]any{"hook": map[string]any{"kind": "webhook", "url": "https://example.invalid"}}, nil)
	if s, err := hooked.settled(ctx, sendArgs{Subject: "Down"}); err != nil || s.Landed != binding.Unknown || !strings.Contains(s.Look, "hook") {
		t.Fatal(s, err)
	}
}

func TestAFileThatCannotBeWritten(t *testing.T) {
	c := client(t, map[string]any{"log": map[string]any{"kind": "file", "path": "."}}, nil)
	_, err := call(t, c, "send", hello)
	if f := fault.As(err); f.Kind != fault.Unavailable || f.Sent != fault.NotDone {
		t.Fatalf("%+v", f)
	}
}

func TestChannelsAreChecked(t *testing.T) {
	c := client(t, map[string]any{"pager": map[string]any{"kind": "console", "only": []any{"critical"}}}, nil)
	if _, err := call(t, c, "send", map[string]any{"channel": "pagr", "subject": "x", "text": "y"}); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), `"pager"`) {
		t.Fatal(err)
	}
	if _, err := call(t, c, "send", map[string]any{"severity": "low", "subject": "x", "text": "y"}); fault.KindOf(err) != fault.Invalid {
		t.Fatal("a message that would go nowhere:", err)
	}
	if got, err := call(t, c, "test", map[string]any{}); err != nil || !ok(got, "pager") {
		t.Fatal(got, err)
	}
	if got, err := call(t, client(t, nil, nil), "test", map[string]any{"channel": "console"}); err != nil || !ok(got, "console") {
		t.Fatal(got, err)
	}
	for name, ch := range map[string]map[string]any{
		"file without path":   {"kind": "file"},
		"webhook without url": {"kind": "webhook"},
		"wrong severity":      {"kind": "console", "only": []any{"crtical"}},
	} {
		_, err := Module().Open(binding.Env{Clock: clock.System{}, Settings: map[string]any{"channels": map[string]any{"x": ch}}})
		if fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPredictSendsNothing(t *testing.T) {
	in := newInbox(t, 200)
	c := client(t, map[string]any{"hook": map[string]any{"kind": "webhook", "url": in.URL}}, nil)
	got, err := c.predict(t.Context(), sendArgs{Subject: "x", Text: "y"})
	if err != nil || len(got) != 1 || len(in.bodies) != 0 {
		t.Fatal(got, err)
	}
}
