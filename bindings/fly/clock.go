package fly

import (
	"net/http"
	"sync"
	"time"
)

// ahead is how far Fly's clock is ahead of ours: at least least, at most most.
// Each answer says when it was made to a whole second and narrows that down.
type ahead struct {
	mu          sync.Mutex
	known       bool
	least, most time.Duration
}

// slack is how far the clocks may be apart when no answer has told.
const slack = 2 * time.Second

// narrow takes in the Date of an answer between sent and received, by our
// clock. When it contradicts what earlier answers said, one of the clocks was
// set meanwhile: then the newest answer counts.
func (a *ahead) narrow(header http.Header, sent, received time.Time) {
	at, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return
	}
	least, most := at.Sub(received), at.Add(time.Second).Sub(sent)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.known && least <= a.most && most >= a.least {
		least, most = max(least, a.least), min(most, a.most)
	}
	a.known, a.least, a.most = true, least, most
}

func (a *ahead) bounds() (least, most time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.known {
		return -slack, slack
	}
	return a.least, a.most
}
