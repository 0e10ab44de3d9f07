package gate

import (
	"sync"
	"time"

	"github.com/webhost-systems/drhost/host/journal"
)

// progressEvery is how often the progress of a call that takes long is
// journaled, so that whoever takes the run over, or reads its report, sees how
// it went. People's eyes get all of it.
const progressEvery = 30 * time.Second

// reporter takes what one call tells of its progress. A call may tell from
// several goroutines.
func (g *Gate) reporter(key string, site journal.Site) func(text string) {
	var mu sync.Mutex
	next := g.o.Clock.Now().Add(progressEvery)
	return func(text string) {
		text = g.CleanText(text)
		g.o.Observe(Event{Progress: &Progress{Key: key, Text: text}})
		mu.Lock()
		defer mu.Unlock()
		now := g.o.Clock.Now()
		if now.Before(next) || g.o.Way != nil { // a plan is about what would be done
			return
		}
		next = now.Add(progressEvery)
		// A journal that cannot be written any more says so at the outcome.
		_ = g.Append(journal.Note, journal.NoteText{Key: key, Text: text, Site: site, Form: "progress"}, false)
	}
}
