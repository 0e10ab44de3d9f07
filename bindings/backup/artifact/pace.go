package artifact

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
)

// Pace tells the operator how far a long work is, every second or so. The nil
// Pace says nothing.
type Pace struct {
	what  string
	of    int64 // bytes in all; 0 when that is not known
	clock clock.Clock

	mu          sync.Mutex
	began, said time.Time
	done        int64
}

// NewPace begins to count.
func NewPace(c clock.Clock, what string, of int64) *Pace {
	now := c.Now()
	return &Pace{what: what, of: of, clock: c, began: now, said: now}
}

// Add counts bytes that were done.
func (p *Pace) Add(ctx context.Context, bytes int64) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += bytes
	now := p.clock.Now()
	if now.Sub(p.said) < time.Second {
		return
	}
	p.said = now
	binding.Progress(ctx, "%s", Rate(p.what, p.done, p.of, now.Sub(p.began)))
}

// Reader counts what is read through it.
func (p *Pace) Reader(ctx context.Context, from io.Reader) io.Reader {
	return &paced{ctx, p, from, nil}
}

// Writer counts what is written through it.
func (p *Pace) Writer(ctx context.Context, to io.Writer) io.Writer { return &paced{ctx, p, nil, to} }

type paced struct {
	ctx  context.Context
	pace *Pace
	from io.Reader
	to   io.Writer
}

func (p *paced) Read(b []byte) (int, error) {
	n, err := p.from.Read(b)
	p.pace.Add(p.ctx, int64(n))
	return n, err
}

func (p *paced) Write(b []byte) (int, error) {
	n, err := p.to.Write(b)
	p.pace.Add(p.ctx, int64(n))
	return n, err
}

// Rate says how far a work is, how fast it goes and how long it will take.
func Rate(what string, done, of int64, took time.Duration) string {
	const mib = 1 << 20
	out := fmt.Sprintf("%s, %d MiB", what, done/mib)
	if of > 0 {
		out += fmt.Sprintf(" of %d MiB", max(of, done)/mib)
	}
	if seconds := took.Seconds(); seconds > 0.5 && done > 0 {
		rate := float64(done) / seconds
		out += fmt.Sprintf(", %.0f MiB/s", rate/mib)
		if of > done {
			out += fmt.Sprintf(", %s left", (time.Duration(float64(of-done)/rate) * time.Second).Round(time.Second))
		}
	}
	return out
}
