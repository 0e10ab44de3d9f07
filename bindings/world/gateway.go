package world

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/webhost-systems/drhost/bindings/fly/flysim"
	"github.com/webhost-systems/drhost/host/clock"
)

// Request is one request to a provider, as the world saw it.
type Request struct {
	Time     time.Time `json:"time"`
	Provider string    `json:"provider"`
	Method   string    `json:"method"`
	Path     string    `json:"path"`
	Query    string    `json:"query,omitempty"`
	Body     string    `json:"body,omitempty"`
	Status   int       `json:"status"`             // what the client saw; 0 when the connection was cut
	Mutation bool      `json:"mutation,omitempty"` // by its method, unless the provider knows it for a question
	Question bool      `json:"question,omitempty"` // the provider says that it only asked, by whatever method
	Acted    bool      `json:"acted,omitempty"`    // the provider carried the mutation out, whatever the client saw
	Key      string    `json:"key,omitempty"`      // idempotency key found in labels or comment
	Fault    string    `json:"fault,omitempty"`    // the API fault that hit it
}

// bodyLimit is how much of a body is kept and passed on.
const bodyLimit = 1 << 20

// gateway stands in front of a provider's API: it logs every request, lets it
// take the provider's latency and puts API faults in its way.
type gateway struct {
	provider string
	latency  time.Duration
	next     http.Handler
	clock    clock.Clock
	speed    float64
	reject   func(w http.ResponseWriter, status int, retry time.Duration) // in the vendor's envelope
	revoke   func()
	failed   func(error) // told of a fault that waited and then could not come

	mu       sync.Mutex
	cut      bool // the network between the world and the provider is cut
	faults   []*APIFault
	later    []*later
	requests *requestLog
}

// requestLog is common to all providers, so that its order is the world's.
type requestLog struct {
	mu   sync.Mutex
	list []Request
}

func (l *requestLog) add(r Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, r)
}

func (l *requestLog) all() []Request {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Request{}, l.list...)
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyLimit))
	if err != nil {
		g.reject(w, http.StatusRequestEntityTooLarge, 0)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	entry := Request{Time: g.clock.Now().UTC(), Provider: g.provider, Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery,
		Body: string(body), Mutation: r.Method != http.MethodGet && r.Method != http.MethodHead, Key: keyOf(body)}
	if g.isCut() {
		entry.Fault = "cut_provider"
		g.requests.add(entry)
		hangUp(w)
		return
	}
	slow, hit := g.faultsFor(r)
	if !g.wait(w, r, slow) {
		g.requests.add(entry) // the client went away before anything was done
		return
	}
	if hit != nil {
		entry.Fault = hit.Kind
		g.fail(w, r, hit, &entry)
		return
	}
	seen := &watched{ResponseWriter: w, status: http.StatusOK}
	g.next.ServeHTTP(seen, r)
	entry.came(seen.status, seen.question)
	g.requests.add(entry)
	if seen.status < 400 {
		g.come(r)
	}
}

// wait lets the request take the provider's latency, shortened by the speed;
// the answer's header says what was cut off. A mutation that was received is
// carried out, whether its client still waits or not.
func (g *gateway) wait(w http.ResponseWriter, r *http.Request, factor float64) bool {
	latency := time.Duration(float64(g.latency) * factor)
	short := time.Duration(float64(latency) / g.speed)
	if cut := latency - short; cut > 0 {
		w.Header().Set("Drhost-Cut", strconv.FormatFloat(cut.Seconds(), 'f', 6, 64))
	}
	ctx := r.Context()
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		ctx = context.WithoutCancel(ctx)
		*r = *r.WithContext(ctx)
	}
	return clock.System{}.Sleep(ctx, short) == nil
}

// fail answers a request that an API fault hits.
func (g *gateway) fail(w http.ResponseWriter, r *http.Request, f *APIFault, entry *Request) {
	status := f.status()
	if f.Kind == ActThenFail {
		inner := httptest.NewRecorder()
		g.next.ServeHTTP(inner, r)
		entry.came(inner.Code, inner.Header().Get(flysim.QuestionHeader) != "")
	}
	if f.Cut {
		status = 0
	}
	entry.Status = status
	g.requests.add(*entry) // before the answer: who has it may look at once
	if f.Cut {
		hangUp(w)
		return
	}
	g.reject(w, status, f.retry())
}

// came notes what the provider made of a request.
func (r *Request) came(status int, question bool) {
	r.Status, r.Question, r.Mutation = status, question, r.Mutation && !question
	r.Acted = r.Mutation && status < 400
}

// hangUp closes the connection without an answer.
func hangUp(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		conn.Close()
	}
}

func (g *gateway) isCut() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.cut
}

// watched remembers the status of an answer, and whether it answers a question.
type watched struct {
	http.ResponseWriter
	status   int
	question bool
}

func (w *watched) WriteHeader(status int) {
	w.status, w.question = status, w.Header().Get(flysim.QuestionHeader) != ""
	w.Header().Del(flysim.QuestionHeader)
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *watched) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// keyOf finds the idempotency key in a body: a label or a machine's metadata
// whose name begins with "drhost", or the word after "drhost " in a comment.
func keyOf(body []byte) string {
	var known struct {
		Labels  map[string]string `json:"labels"`
		Comment string            `json:"comment"`
		Config  struct {
			Metadata map[string]string `json:"metadata"`
		} `json:"config"`
	}
	if json.Unmarshal(body, &known) != nil {
		return ""
	}
	for name, value := range known.Labels {
		if strings.HasPrefix(name, "drhost") {
			return value
		}
	}
	for name, value := range known.Config.Metadata {
		if strings.HasPrefix(name, "drhost") {
			return value
		}
	}
	if _, after, found := strings.Cut(known.Comment, "drhost "); found {
		key, _, _ := strings.Cut(after, " ")
		return key
	}
	return ""
}
