package terminal

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/charmbracelet/x/ansi"

	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/journal"
)

// Live shows a run as a step tree that is redrawn in place, under the clock of
// its objective. It leaves the terminal's modes alone between two drawings, so
// that a process that dies leaves a terminal that works.
type Live struct {
	o Options

	mu      sync.Mutex // guards what Observe touches; never held while writing
	tree    *tree
	closed  bool
	begun   bool
	stop    context.CancelFunc
	stopped chan struct{}

	screen sync.Mutex // guards the terminal; a stopped terminal may hold it for long
	out    io.Writer
	drawn  []string // the frame that is on the screen
	paused int
	over   bool
}

func newLive(out io.Writer, o Options) *Live {
	return &Live{o: o, out: out, tree: newTree()}
}

// Observe takes in one event. The first one starts the drawing.
func (l *Live) Observe(e gate.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.tree.event(e, l.o.Clock.Now())
	if l.begun {
		return
	}
	l.begun = true
	ctx, stop := context.WithCancel(context.Background())
	l.stop, l.stopped = stop, make(chan struct{})
	go l.draw(ctx, l.stopped)
}

// Recall implements View. Nothing is drawn yet.
func (l *Live) Recall(records []journal.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range records {
		l.tree.event(gate.Event{Record: &records[i]}, l.o.Clock.Now())
	}
}

// draw brings the screen up to date until ctx is done. The terminal's size is
// read each time: that is how a resize is noticed.
func (l *Live) draw(ctx context.Context, stopped chan<- struct{}) {
	defer close(stopped)
	for {
		l.tick()
		if err := (clock.System{}).Sleep(ctx, tempo); err != nil {
			return
		}
	}
}

// tick draws what has changed.
func (l *Live) tick() {
	l.screen.Lock()
	defer l.screen.Unlock()
	if l.paused > 0 || l.over {
		return
	}
	l.show(l.frame(false))
}

// frame is what is to be seen now; whole when it may be as tall as it wants.
func (l *Live) frame(whole bool) ([]string, int) {
	width, height := l.o.Width(), l.o.Height()
	if width <= 0 {
		width = 80
	}
	if height <= 0 {
		height = 24
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	c := canvas{width: width, color: l.o.Color, now: l.o.Clock.Now(), final: whole}
	if l.tree.end != nil { // the clock has stopped, and so has what was open
		c.now, c.final = l.tree.ended, true
	}
	if whole {
		return c.whole(l.tree), width
	}
	return c.fit(l.tree, height-1), width // the cursor stands on the row below
}

// Sequences that a drawing begins and ends with: drawn as one (terminals that
// do not know 2026 ignore it), no cursor, no wrapping at the edge.
const (
	beforeDrawing = "\x1b[?2026h\x1b[?25l\x1b[?7l"
	afterDrawing  = "\x1b[?7h\x1b[?25h\x1b[?2026l"
)

// show replaces the frame on the screen by lines. A terminal that cannot be
// written to does not stop a recovery: the journal has everything.
func (l *Live) show(lines []string, width int) {
	if slices.Equal(lines, l.drawn) {
		return
	}
	var b strings.Builder
	b.WriteString(beforeDrawing + back(l.drawn, width))
	for _, line := range lines { // erased first: at the edge it would take the last column along
		b.WriteString("\x1b[K" + line + "\r\n")
	}
	b.WriteString("\x1b[J" + afterDrawing)
	io.WriteString(l.out, b.String())
	l.drawn = lines
}

// back moves the cursor to the start of what was drawn. A terminal that became
// narrower has broken its lines.
func back(drawn []string, width int) string {
	rows := 0
	for _, line := range drawn {
		rows += max(1, (ansi.StringWidth(line)+width-1)/width)
	}
	if rows == 0 {
		return "\r"
	}
	return fmt.Sprintf("\r\x1b[%dA", rows)
}

// Write implements View: text goes above the tree.
func (l *Live) Write(text []byte) (int, error) {
	l.screen.Lock()
	defer l.screen.Unlock()
	if l.paused > 0 || l.over || len(l.drawn) == 0 {
		return l.out.Write(text)
	}
	lines, width := l.drawn, l.o.Width()
	l.show(nil, max(width, 1))
	n, err := l.out.Write(text)
	if len(text) > 0 && text[len(text)-1] != '\n' {
		io.WriteString(l.out, "\r\n")
	}
	l.show(lines, max(width, 1))
	return n, err
}

// Pause brings the tree up to date and lets go of the screen: what is written
// next stands below it, and so does the tree after Resume.
func (l *Live) Pause() {
	l.screen.Lock()
	defer l.screen.Unlock()
	l.paused++
	if l.paused > 1 || l.over {
		return
	}
	if l.observing() {
		l.show(l.frame(false))
	}
	l.drawn = nil
}

// Resume takes the screen again.
func (l *Live) Resume() {
	l.screen.Lock()
	defer l.screen.Unlock()
	l.paused = max(l.paused-1, 0)
}

func (l *Live) observing() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.begun
}

// Close stops the drawing and leaves the whole tree behind, or nothing with
// Options.Erase.
func (l *Live) Close() {
	l.mu.Lock()
	begun, was := l.begun, l.closed
	l.closed = true
	l.mu.Unlock()
	if was || !begun {
		return
	}
	l.stop()
	<-l.stopped
	l.screen.Lock()
	defer l.screen.Unlock()
	l.over = true
	if l.o.Erase {
		_, width := l.frame(true)
		l.show(nil, width)
		return
	}
	l.show(l.frame(true))
	l.drawn = nil
}
