package flysim

import (
	"strconv"
	"time"
)

// event is something that happened to a machine.
type event struct {
	id, kind, status, source string
	request                  obj
	at                       time.Time
}

// eventsKept is how many events of a machine the API remembers.
const eventsKept = 50

// note adds an event to a machine; the caller holds the lock.
func (s *Sim) note(m *machine, kind, status, source string, request obj) {
	e := event{id: s.ulid(), kind: kind, status: status, source: source, request: request, at: s.now()}
	m.events = append([]event{e}, m.events...)
	m.events = m.events[:min(len(m.events), eventsKept)]
	s.addLog(m, "info", eventText(kind, status))
}

func eventText(kind, status string) string {
	switch {
	case kind == "start" && status == started:
		return "Machine started"
	case kind == "exit":
		return "Main child exited"
	}
	return "machine " + kind + ": " + status
}

// eventViews lists a machine's events, newest first; all when most is 0.
func (s *Sim) eventViews(m *machine, most int) []obj {
	list := []obj{}
	for _, e := range m.events {
		view := obj{"id": e.id, "type": e.kind, "status": e.status, "source": e.source, "timestamp": e.at.UnixMilli()}
		if e.request != nil {
			view["request"] = e.request
		}
		if list = append(list, view); len(list) == most {
			break
		}
	}
	return list
}

func (s *Sim) listEvents(c *call) (int, any, error) {
	most := 20
	if text := c.URL.Query().Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > eventsKept {
			return 0, nil, invalid("limit must be between 1 and %d", eventsKept)
		}
		most = n
	}
	return 200, s.eventViews(c.one, most), nil
}

// listVersions lists the configurations that a machine has had, newest first.
func (s *Sim) listVersions(c *call) (int, any, error) {
	list := []obj{}
	for i := len(c.one.versions) - 1; i >= 0; i-- {
		v := c.one.versions[i]
		list = append(list, obj{"version": v.instance, "user_config": v.config})
	}
	return 200, list, nil
}

func (s *Sim) getMetadata(c *call) (int, any, error) { return 200, part(c.one.config, "metadata"), nil }

// setMetadata changes a machine's metadata without a new version of it.
func (s *Sim) setMetadata(c *call) (int, any, error) {
	var in struct {
		Value string `json:"value"`
	}
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	metadata := part(c.one.config, "metadata")
	metadata[c.PathValue("key")] = in.Value
	c.one.config["metadata"] = metadata
	return 204, nil, nil
}

func (s *Sim) deleteMetadata(c *call) (int, any, error) {
	delete(part(c.one.config, "metadata"), c.PathValue("key"))
	return 204, nil, nil
}
