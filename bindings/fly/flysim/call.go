package flysim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

// call is one request that was let in.
type call struct {
	*http.Request
	body []byte
	app  *app
	one  *machine
	// question is set by what changes nothing although it comes by POST.
	question bool
}

// QuestionHeader stands in the answer to a request that came by POST and only
// asked: a query of GraphQL, a command that looks. Who counts mutations by
// their method takes it away.
const QuestionHeader = "Drhost-Question"

// handler answers a call with a status and a body. It is called with the
// lock held unless it was entered as one that waits.
type handler func(c *call) (int, any, error)

// Request is one request as the simulator saw it.
type Request struct {
	Time   time.Time
	ID     string // fly-request-id of the answer
	Method string
	Path   string
	Query  string
	Body   string
	Nonce  string
	Status int
}

// nonceHeader carries the nonce of a lease.
const nonceHeader = "fly-machine-lease-nonce"

// bodyLimit is more than any configuration has.
const bodyLimit = 1 << 20

// Handler serves everything: Machines API, GraphQL, logs and releases. All
// base URLs that clients want may be the one that it is served under.
func (s *Sim) Handler() http.Handler { return http.HandlerFunc(s.serve) }

// Requests returns the requests so far, oldest first.
func (s *Sim) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request{}, s.requests...)
}

func (s *Sim) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyLimit))
	if err != nil {
		WriteError(w, http.StatusRequestEntityTooLarge, "", "the body is too large or was cut off")
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	seen := &watched{ResponseWriter: w, status: http.StatusOK}
	s.mu.Lock()
	id := s.ulid() + "-ams"
	index := len(s.requests)
	s.requests = append(s.requests, Request{Time: s.now(), ID: id, Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery,
		Body: string(body), Nonce: r.Header.Get(nonceHeader)})
	admitted := s.admits(r)
	s.mu.Unlock()
	w.Header().Set("fly-request-id", id)
	if admitted {
		s.mux.ServeHTTP(seen, r)
	} else {
		write(seen, http.StatusUnauthorized, obj{"error": "Authenticate: token validation error"})
	}
	s.mu.Lock()
	s.requests[index].Status = seen.status
	s.mu.Unlock()
}

// watched remembers the status of an answer.
type watched struct {
	http.ResponseWriter
	status int
}

func (w *watched) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// admits checks the token; the caller holds the lock.
func (s *Sim) admits(r *http.Request) bool {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if (scheme != "Bearer" && scheme != "FlyV1") || token == "" || s.revoked {
		return false
	}
	return s.token == "" || token == s.token
}

// route enters a handler that answers under the lock.
func (s *Sim) route(mux *http.ServeMux, pattern, action string, h handler) {
	mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		c, err := s.find(r, action)
		var status int
		var body any
		if err == nil {
			status, body, err = h(c)
		}
		if err == nil && body != nil {
			if _, isText := body.(string); !isText {
				var encoded []byte // while the state that it refers to holds still
				encoded, err = json.Marshal(body)
				body = json.RawMessage(encoded)
			}
		}
		s.mu.Unlock()
		c.answer(w, status, body, err)
	})
}

// slow enters a handler that waits and takes the lock by itself.
func (s *Sim) slow(mux *http.ServeMux, pattern, action string, h handler) {
	mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		c, err := s.find(r, action)
		s.mu.Unlock()
		var status int
		var body any
		if err == nil {
			status, body, err = h(c)
		}
		c.answer(w, status, body, err)
	})
}

// answer sends what came of a call; nil is one that was not let in.
func (c *call) answer(w http.ResponseWriter, status int, body any, err error) {
	if c != nil && c.question {
		w.Header().Set(QuestionHeader, "yes")
	}
	respond(w, status, body, err)
}

func respond(w http.ResponseWriter, status int, body any, err error) {
	var p *problem
	switch {
	case errors.As(err, &p):
		WriteError(w, p.http, p.status, p.message)
	case errors.Is(err, context.Canceled):
		WriteError(w, http.StatusServiceUnavailable, "", "the request was cancelled")
	case err != nil:
		WriteError(w, http.StatusInternalServerError, "internal", "internal: "+err.Error())
	default:
		write(w, status, body)
	}
}

// find reads whom the path names and keeps the limits; the caller holds the
// lock.
func (s *Sim) find(r *http.Request, action string) (*call, error) {
	c := &call{Request: r}
	var err error
	if c.body, err = io.ReadAll(r.Body); err != nil {
		return nil, err
	}
	on := r.PathValue("app")
	if on != "" {
		if c.app = s.apps[on]; c.app == nil {
			return nil, &problem{404, "app not found", "not_found"}
		}
	}
	if id := r.PathValue("id"); id != "" && c.app != nil {
		if c.one = c.app.machines[id]; c.one == nil {
			return nil, notFound("machine")
		}
		on = id
	}
	if action != "" && !s.allowed(action, on) {
		return nil, &problem{429, "rate limit exceeded", "rate_limited"}
	}
	return c, nil
}

// decode reads the body into v; an empty one changes nothing.
func (c *call) decode(v any) error {
	if len(bytes.TrimSpace(c.body)) == 0 {
		return nil
	}
	if err := json.Unmarshal(c.body, v); err != nil {
		return invalid("the body is not what is expected: %v", err)
	}
	return nil
}
