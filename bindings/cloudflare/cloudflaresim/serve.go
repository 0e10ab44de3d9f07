package cloudflaresim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// root is where the vendor mounts its API.
const root = "/client/v4/"

// bodyLimit is more than any request that is allowed.
const bodyLimit = 4 << 20

// problem is a refusal in the API's own words.
type problem struct {
	status, code int
	message      string
}

func (p *problem) Error() string { return fmt.Sprintf("%s (%d)", p.message, p.code) }

// envelope is what every answer comes in, except an export.
type envelope struct {
	Result     any        `json:"result"`
	Success    bool       `json:"success"`
	Errors     []notice   `json:"errors"`
	Messages   []notice   `json:"messages"`
	ResultInfo *pageState `json:"result_info,omitempty"`
}

type notice struct {
	Code    int      `json:"code"`
	Message string   `json:"message"`
	Chain   []notice `json:"error_chain,omitempty"`
}

// answer is what a handler gives back.
type answer struct {
	result   any
	page     *pageState
	messages []notice
	text     string // instead of an envelope
}

// call is one request that was let in. Its handler runs under the lock.
type call struct {
	method string
	path   []string // after root
	query  url.Values
	form   string // Content-Type of the body
	body   []byte
}

// Handler returns the API. It is mounted at the root of a server: paths start
// with /client/v4.
func (s *Sim) Handler() http.Handler { return http.HandlerFunc(s.serve) }

func (s *Sim) serve(w http.ResponseWriter, r *http.Request) {
	path, ok := strings.CutPrefix(r.URL.Path, root)
	c := &call{method: r.Method, path: strings.Split(strings.Trim(path, "/"), "/"), query: r.URL.Query(),
		form: r.Header.Get("Content-Type")}
	if !ok {
		c.path = nil
	}
	var err error
	if c.body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, bodyLimit)); err != nil {
		WriteError(w, http.StatusBadRequest, 9207, "Failed to parse request body.")
		return
	}
	if strings.Contains(path, "load_balancers") {
		s.probeDue()
	}
	status, body, text := s.respond(w.Header(), r, c)
	if text != "" {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(status)
		write(w, []byte(text))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	write(w, body)
}

// respond answers under the lock and encodes before letting go of it.
func (s *Sim) respond(h http.Header, r *http.Request, c *call) (status int, body []byte, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastRay++
	h.Set("Cf-Ray", fmt.Sprintf("%016x-FRA", 0x7a0000000000+s.lastRay))
	a, chain, p := answer{}, []notice(nil), (*problem)(nil)
	if chain, p = s.admit(h, r, c); p == nil {
		a, p = s.route(c)
	}
	e := envelope{Success: true, Result: a.result, Errors: []notice{}, Messages: a.messages, ResultInfo: a.page}
	status = http.StatusOK
	if p != nil {
		e.Success, e.Result, status = false, nil, p.status
		e.Errors = []notice{{Code: p.code, Message: p.message, Chain: chain}}
	} else if a.text != "" {
		return status, nil, a.text
	}
	if e.Messages == nil {
		e.Messages = []notice{}
	}
	body, err := json.Marshal(e)
	if err != nil {
		return http.StatusInternalServerError, nil, "the simulator cannot encode its answer: " + err.Error()
	}
	return status, body, ""
}

// admit checks the credential, then the rate.
func (s *Sim) admit(h http.Header, r *http.Request, c *call) ([]notice, *problem) {
	given := r.Header.Get("Authorization")
	token, isBearer := strings.CutPrefix(given, "Bearer ")
	switch {
	case given == "":
		return nil, &problem{400, 9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers"}
	case !isBearer || strings.TrimSpace(token) == "" || strings.ContainsAny(token, " \t"):
		return []notice{{Code: 6111, Message: "Invalid format for Authorization header"}}, &problem{400, 6003, "Invalid request headers"}
	case s.revoked || (s.token != "" && token != s.token):
		if strings.Join(c.path, "/") == "user/tokens/verify" {
			return nil, &problem{401, 1000, "Invalid API Token"}
		}
		return nil, &problem{403, 10000, "Authentication error"}
	}
	if !s.limit.take(s.clock.Now(), h) {
		return nil, &problem{429, 971, "Please wait and consider throttling your request speed"}
	}
	return nil, nil
}

// route finds who answers.
func (s *Sim) route(c *call) (answer, *problem) {
	unknown := &problem{404, 7000, "No route for that URI"}
	if strings.Join(c.path, "/") == "user/tokens/verify" && c.method == http.MethodGet {
		return answer{result: map[string]any{"id": strings.Repeat("ed17574386854bf7", 2), "status": "active"},
			messages: []notice{{Code: 10000, Message: "This API Token is valid and active"}}}, nil
	}
	if len(c.path) == 0 {
		return answer{}, unknown
	}
	if c.path[0] != "zones" {
		return s.routeAccount(c)
	}
	if len(c.path) == 1 {
		switch c.method {
		case http.MethodGet:
			return s.listZones(c)
		case http.MethodPost:
			return s.createZone(c)
		}
		return answer{}, notAllowed(c.method)
	}
	z := s.zones[c.path[1]]
	if z == nil {
		return answer{}, &problem{404, 7003, fmt.Sprintf("Could not route to %s%s, perhaps your object identifier is invalid?",
			root, strings.Join(c.path, "/"))}
	}
	if len(c.path) == 2 {
		return s.routeZone(z, c)
	}
	switch c.method + " " + strings.Join(c.path[2:], "/") {
	case "PUT activation_check":
		return answer{result: map[string]any{"id": z.id}, messages: []notice{{Message: "The activation check was requested."}}}, nil
	case "POST purge_cache":
		return purge(z, c)
	}
	switch c.path[2] {
	case "dns_records":
		return s.routeRecords(z, c, c.path[3:])
	case "load_balancers":
		if len(c.path) < 5 {
			return s.serveShelf(s.balancing.of(z), c, c.path[3:])
		}
	}
	return answer{}, unknown
}

func (s *Sim) routeRecords(z *zone, c *call, rest []string) (answer, *problem) {
	switch {
	case len(rest) == 0 && c.method == http.MethodGet:
		return listRecords(z, c)
	case len(rest) == 0 && c.method == http.MethodPost:
		return s.change(z, c, func(t *turn) (any, *problem) { return t.post(c.body) })
	case len(rest) == 1 && rest[0] == "import" && c.method == http.MethodPost:
		return s.importRecords(z, c)
	case len(rest) != 1:
		return answer{}, &problem{404, 7000, "No route for that URI"}
	case rest[0] == "batch" && c.method == http.MethodPost:
		return s.change(z, c, func(t *turn) (any, *problem) { return t.batch(c.body) })
	case rest[0] == "export" && c.method == http.MethodGet:
		return answer{text: z.export(s.clock.Now())}, nil
	}
	id := rest[0]
	switch c.method {
	case http.MethodGet:
		for _, r := range z.records {
			if r.ID == id {
				return answer{result: z.wire(r)}, nil
			}
		}
		return answer{}, noRecord()
	case http.MethodPut:
		return s.change(z, c, func(t *turn) (any, *problem) { return t.put(id, c.body) })
	case http.MethodPatch:
		return s.change(z, c, func(t *turn) (any, *problem) { return t.patch(id, c.body) })
	case http.MethodDelete:
		return s.change(z, c, func(t *turn) (any, *problem) {
			if _, p := t.remove(id); p != nil {
				return nil, p
			}
			return map[string]any{"id": id}, nil
		})
	}
	return answer{}, notAllowed(c.method)
}

func noRecord() *problem { return &problem{404, 81044, "Record does not exist."} }

func notAllowed(method string) *problem {
	return &problem{405, 10405, fmt.Sprintf("Method %s not available for that URI.", method)}
}

// WriteError answers in the API's error envelope: for faults that stand in
// front of the simulator.
func WriteError(w http.ResponseWriter, status, code int, message string) {
	w.Header().Set("Content-Type", "application/json")
	body, err := json.Marshal(envelope{Errors: []notice{{Code: code, Message: message}}, Messages: []notice{}})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.WriteHeader(status)
	write(w, body)
}

// write sends a body. A client that went away is no concern of the server's.
func write(w io.Writer, body []byte) { _, _ = io.Copy(w, bytes.NewReader(body)) }
