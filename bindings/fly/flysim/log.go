package flysim

import (
	"strconv"
	"time"
)

// logLine is a line of an app's log.
type logLine struct {
	at                        time.Time
	machine, region, provider string
	level, message            string
}

// Limits of the log API: lines kept of an app, and lines in one answer.
const (
	logKept = 5000
	logPage = 100
)

// addLog adds a line of the platform's to a machine's log; the caller holds
// the lock.
func (s *Sim) addLog(m *machine, level, message string) {
	s.appendLog(m, logLine{s.now(), m.id, m.region, "runner", level, message})
}

func (s *Sim) appendLog(m *machine, l logLine) {
	a := m.app
	a.logs = append(a.logs, l)
	if len(a.logs) > logKept {
		a.logs = append([]logLine{}, a.logs[len(a.logs)-logKept:]...)
	}
}

// Log adds a line that a machine's own processes wrote. A machine that does
// not exist logs nothing.
func (s *Sim) Log(machine, level, message string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.findMachine(machine); m != nil {
		s.appendLog(m, logLine{s.now(), m.id, m.region, "app", level, message})
	}
}

// listLogs gives the lines after the one that the token names, oldest first;
// without a token the newest page.
func (s *Sim) listLogs(c *call) (int, any, error) {
	query := c.URL.Query()
	token := query.Get("next_token")
	var since int64
	if token != "" {
		var err error
		if since, err = strconv.ParseInt(token, 10, 64); err != nil {
			return 0, nil, invalid("next_token is none that was given out: %q", token)
		}
	}
	list := []obj{}
	last := since
	for _, l := range c.app.logs {
		at := l.at.UnixNano()
		if at <= since || (query.Get("instance") != "" && query.Get("instance") != l.machine) ||
			(query.Get("region") != "" && query.Get("region") != l.region) {
			continue
		}
		list = append(list, logView(l))
		if last = at; token != "" && len(list) == logPage {
			break
		}
	}
	list = list[max(0, len(list)-logPage):]
	next := ""
	if last > 0 {
		next = strconv.FormatInt(last, 10)
	}
	return 200, obj{"data": list, "meta": obj{"next_token": next}}, nil
}

func logView(l logLine) obj {
	return obj{"id": strconv.FormatInt(l.at.UnixNano(), 10), "type": "log", "attributes": obj{
		"timestamp": l.at.Format(time.RFC3339Nano), "message": l.message, "level": l.level, "instance": l.machine, "region": l.region,
		"meta": obj{"instance": l.machine, "region": l.region, "event": obj{"provider": l.provider}}}}
}
