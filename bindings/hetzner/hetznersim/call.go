package hetznersim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// call is one request that was let in. Its handler runs under the lock.
type call struct {
	query url.Values
	body  []byte
	id    int64 // of the path, 0 when it names none
}

// handler answers a call with a status and a body (nil: none).
type handler func(c *call) (int, any, error)

// noun is one kind of resource: its collection, its members, its actions.
type noun struct {
	kind                 string // as resources of actions call it; empty: has no actions
	list, create         handler
	get, update, destroy handler
	acts                 map[string]handler
}

// bodyLimit is more than the largest body that is allowed, 32 KiB of user data.
const bodyLimit = 1 << 20

// serve lets a request in, or not, and finds who answers it.
func (s *Sim) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Correlation-Id", s.correlation())
	if p := s.admit(w, r); p != nil {
		write(w, p.status, envelope(p))
		return
	}
	answer, c, p := s.find(r)
	if p == nil {
		var err error
		if c.body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, bodyLimit)); err != nil {
			p = &problem{status: 413, code: "request_entity_too_large", message: "the body is too large or was cut off"}
		}
	}
	if p != nil {
		write(w, p.status, envelope(p))
		return
	}
	s.refresh()
	status, body, err := s.answer(answer, c)
	s.flush()
	if errors.As(err, &p) {
		write(w, p.status, envelope(p))
		return
	}
	if err != nil {
		WriteError(w, http.StatusInternalServerError, "server_error", err.Error())
		return
	}
	if body == nil {
		write(w, status, nil)
		return
	}
	write(w, status, body)
}

// answer runs a handler under the lock and encodes before letting go of it,
// because bodies refer to the state.
func (s *Sim) answer(h handler, c *call) (int, any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	status, body, err := h(c)
	if err != nil || body == nil {
		return status, nil, err
	}
	encoded, err := json.Marshal(body)
	return status, json.RawMessage(encoded), err
}

func (s *Sim) correlation() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("%016x", s.random.Uint64())
}

// admit checks the token and the rate, in this order, and writes the headers
// of the rate limit.
func (s *Sim) admit(w http.ResponseWriter, r *http.Request) *problem {
	token, isBearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	s.mu.Lock()
	defer s.mu.Unlock()
	if !isBearer || token == "" || s.revoked || (s.token != "" && token != s.token) {
		return &problem{status: 401, code: "unauthorized", message: "unable to authenticate"}
	}
	if !s.limit.take(s.clock.Now(), w.Header()) {
		return &problem{status: 429, code: "rate_limit_exceeded", message: "limit of requests per hour reached"}
	}
	return nil
}

// find reads the path: /v1/<noun>[/<id>][/actions[/<id or command>]].
func (s *Sim) find(r *http.Request) (handler, *call, *problem) {
	c := &call{query: r.URL.Query()}
	unknown := &problem{status: 404, code: "not_found", message: "the requested resource could not be found"}
	rest, ok := strings.CutPrefix(r.URL.Path, "/v1/")
	if !ok {
		return nil, nil, unknown
	}
	parts := strings.Split(rest, "/")
	name, parts := parts[0], parts[1:]
	var answer handler
	if name == "actions" {
		answer = s.findAction(r.Method, parts, c, "")
	} else if n, known := s.nouns[name]; known {
		answer = s.findIn(n, r.Method, parts, c)
	}
	if answer == nil {
		return nil, nil, unknown
	}
	return answer, c, nil
}

func (s *Sim) findIn(n noun, method string, parts []string, c *call) handler {
	if len(parts) == 0 {
		return map[string]handler{"GET": n.list, "POST": n.create}[method]
	}
	if parts[0] == "actions" && n.kind != "" {
		return s.findAction(method, parts[1:], c, n.kind)
	}
	id, err := strconv.ParseInt(parts[0], 10, 64)
	if err != nil {
		return nil
	}
	c.id = id
	switch {
	case len(parts) == 1:
		return map[string]handler{"GET": n.get, "PUT": n.update, "DELETE": n.destroy}[method]
	case parts[1] != "actions" || n.kind == "":
		return nil
	case method == "POST" && len(parts) == 3:
		return n.acts[parts[2]]
	case method == "GET" && len(parts) == 2:
		return func(c *call) (int, any, error) { return s.actionsOf(n, c) }
	case method == "GET" && len(parts) == 3:
		one, err := strconv.ParseInt(parts[2], 10, 64)
		if err != nil {
			return nil
		}
		return func(c *call) (int, any, error) {
			return s.oneAction(one, func(a *action) bool { return a.about(n.kind, c.id) })
		}
	}
	return nil
}

// findAction answers /actions and /<noun>/actions. kind is empty for the first.
func (s *Sim) findAction(method string, parts []string, c *call, kind string) handler {
	if method != "GET" || len(parts) > 1 {
		return nil
	}
	if len(parts) == 0 {
		return func(c *call) (int, any, error) { return s.listActions(c, kind) }
	}
	id, err := strconv.ParseInt(parts[0], 10, 64)
	if err != nil {
		return nil
	}
	return func(*call) (int, any, error) {
		return s.oneAction(id, func(a *action) bool { return kind == "" || a.about(kind, 0) })
	}
}

// decode reads the body into v. Bodies may be empty where nothing is required.
func (c *call) decode(v any) error {
	if len(strings.TrimSpace(string(c.body))) == 0 {
		return nil
	}
	err := json.Unmarshal(c.body, v)
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) {
		return invalid(wrongType.Field, "is of the wrong type: %s", wrongType.Value)
	}
	if err != nil {
		return &problem{status: 400, code: "json_error", message: "the body is not valid JSON"}
	}
	return nil
}

// ref names something by id or by name. Numbers and numeric strings are ids.
type ref struct {
	id   int64
	name string
}

func (r *ref) UnmarshalJSON(data []byte) error {
	text := strings.Trim(string(data), `"`)
	if id, err := strconv.ParseInt(text, 10, 64); err == nil {
		r.id = id
		return nil
	}
	if text == "null" && data[0] != '"' {
		return nil
	}
	return json.Unmarshal(data, &r.name)
}

func (r ref) empty() bool { return r.id == 0 && r.name == "" }

// means tells whether the reference names the thing with this id and name.
func (r ref) means(id int64, name string) bool {
	return (r.id != 0 && r.id == id) || (r.id == 0 && r.name != "" && r.name == name)
}

// key is what a message calls the reference: its id, else its name.
func (r ref) key() any {
	if r.id != 0 {
		return r.id
	}
	return r.name
}
