package artifact

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
)

// hand is a clock that a test moves.
type hand struct {
	clock.System
	now time.Time
}

func (h *hand) Now() time.Time { return h.now }

func TestProgressTellsRateAndTimeLeft(t *testing.T) {
	var said []string
	ctx := binding.WithProgress(context.Background(), func(text string) { said = append(said, text) })
	h := &hand{now: time.Unix(1000, 0)}
	p := NewPace(h, "dumping shop", 100<<20)
	in := p.Reader(ctx, strings.NewReader(strings.Repeat("x", 10<<20)))
	h.now = h.now.Add(2 * time.Second)
	if _, err := in.Read(make([]byte, 10<<20)); err != nil {
		t.Fatal(err)
	}
	p.Add(ctx, 1<<20) // too early to say anything again
	if !slices.Equal(said, []string{"dumping shop, 10 MiB of 100 MiB, 5 MiB/s, 18s left"}) {
		t.Fatal(said)
	}
	(*Pace)(nil).Add(ctx, 1)
}
