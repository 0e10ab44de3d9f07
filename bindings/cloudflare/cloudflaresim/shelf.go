package cloudflaresim

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"
)

// object is a resource of load balancing as it travels. It is kept whole, so
// that a client that sends back less than it got loses what it left out, as at
// the vendor's.
type object = map[string]any

// shelf holds the resources of one kind, in the order in which they were made.
type shelf struct {
	kind     string // "pool"
	list     []object
	defaults func() object
	check    func(object) *problem
	inUse    func(id string) string // by whom, or ""
}

func (h *shelf) find(id string) int {
	return slices.IndexFunc(h.list, func(o object) bool { return o["id"] == id })
}

// readOnly are fields that clients may send back and that stay as they are.
var readOnly = []string{"id", "created_on", "modified_on", "disabled_at", "healthy"}

// serve answers the requests for a shelf: rest is the path after its name.
func (s *Sim) serveShelf(h *shelf, c *call, rest []string) (answer, *problem) {
	now := s.clock.Now().UTC().Format(time.RFC3339)
	if len(rest) == 0 {
		switch c.method {
		case http.MethodGet:
			found, page, p := paginate(h.list, c.query, 25, 100)
			return answer{result: append([]object{}, found...), page: page}, p
		case http.MethodPost:
			made, p := h.lay(h.defaults(), c.body)
			if p != nil {
				return answer{}, p
			}
			made["id"], made["created_on"], made["modified_on"] = s.newID(h.kind), now, now
			h.list = append(h.list, made)
			return answer{result: made}, nil
		}
		return answer{}, notAllowed(c.method)
	}
	i := h.find(rest[0])
	if i < 0 {
		return answer{}, &problem{404, 1001, fmt.Sprintf("%s not found", h.kind)}
	}
	old := h.list[i]
	base := maps.Clone(old)
	switch c.method {
	case http.MethodGet:
		return answer{result: old}, nil
	case http.MethodDelete:
		if by := h.inUse(rest[0]); by != "" {
			return answer{}, &problem{412, 1005, fmt.Sprintf("%s is referenced by %s", h.kind, by)}
		}
		h.list = slices.Delete(slices.Clone(h.list), i, i+1)
		return answer{result: object{"id": rest[0]}}, nil
	case http.MethodPut: // what is left out falls back to its default
		base = h.defaults()
		for _, name := range readOnly {
			if v, ok := old[name]; ok {
				base[name] = v
			}
		}
	case http.MethodPatch:
	default:
		return answer{}, notAllowed(c.method)
	}
	next, p := h.lay(base, c.body)
	if p != nil {
		return answer{}, p
	}
	next["modified_on"] = now
	h.list[i] = next
	return answer{result: next}, nil
}

// lay puts what a client sent over base and checks the outcome.
func (h *shelf) lay(base object, body []byte) (object, *problem) {
	sent := object{}
	if p := decode(body, &sent); p != nil {
		return nil, p
	}
	for _, name := range readOnly {
		delete(sent, name)
	}
	maps.Copy(base, sent)
	return base, h.check(base)
}

// as reads an object into a struct.
func as[T any](o object) (T, *problem) {
	var v T
	text, err := json.Marshal(o)
	if err == nil {
		err = json.Unmarshal(text, &v)
	}
	if err != nil {
		return v, invalid("%v", err)
	}
	return v, nil
}

// invalid refuses a resource of load balancing. The code is assumed: the
// vendor documents none.
func invalid(format string, args ...any) *problem {
	return &problem{400, 1004, "validation failed: " + fmt.Sprintf(format, args...)}
}
