package physical

import (
	"fmt"
	"strings"
)

// alarm tells the operator, once for each wording, and the head.
func (a *Archiver) alarm(topic, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	a.note.mu.Lock()
	told := a.note.alarms[topic] == text
	a.note.alarms[topic] = text
	a.note.mu.Unlock()
	if !told {
		a.Report(true, text)
	}
}

// quiet ends an alarm.
func (a *Archiver) quiet(topic string) {
	a.note.mu.Lock()
	_, was := a.note.alarms[topic]
	delete(a.note.alarms, topic)
	a.note.mu.Unlock()
	if was {
		a.Report(false, topic+": well again")
	}
}

// alarms are those that stand.
func (a *Archiver) alarms() (texts []string, gaps []Gap) {
	a.note.mu.Lock()
	defer a.note.mu.Unlock()
	for _, text := range a.note.alarms {
		texts = append(texts, text)
	}
	return texts, a.note.gaps
}

// gap records that a part of the log is lost.
func (a *Archiver) gap(g Gap) {
	g.Noticed = a.Clock.Now().UTC()
	a.note.mu.Lock()
	a.note.gaps = append(a.note.gaps, g)
	a.note.mu.Unlock()
	a.Report(true, fmt.Sprintf("THE LOG FROM %s TO %s IS LOST: %s. Make a new base backup now: nothing after %s can be restored without one", g.From, g.To, strings.TrimSpace(g.Reason), g.From))
}
