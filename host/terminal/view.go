package terminal

import (
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/journal"
)

// View shows a run while it goes. Its methods may be called from any
// goroutine. Observe returns at once, whatever the terminal does.
type View interface {
	Observe(gate.Event)
	// Recall takes what earlier lives of a resumed run have journaled, before
	// the first event.
	Recall([]journal.Record)
	// Write prints text of others beside the view, such as a warning.
	io.Writer
	Screen
	// Close ends the view; what comes later is not shown.
	Close()
}

// Screen is something that draws on a terminal and can make room for
// questions. Pauses may be nested.
type Screen interface {
	Pause()
	Resume()
}

// Options say how a run is shown.
type Options struct {
	Clock clock.Clock
	Color bool
	Live  bool // redraw a tree in place; else plain lines
	// Erase makes Close of a live view wipe the tree instead of leaving it, for
	// a caller that prints a summary of its own.
	Erase bool
	// Width and Height give the terminal's size now, in columns and rows; nil
	// asks the terminal itself.
	Width, Height func() int
}

// New returns a view that writes to out.
func New(out io.Writer, o Options) View {
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	if !o.Live {
		return NewLines(out, o.Clock, o.Color)
	}
	if o.Width == nil {
		o.Width = func() int { w, _ := size(out); return w }
	}
	if o.Height == nil {
		o.Height = func() int { _, h := size(out); return h }
	}
	return newLive(out, o)
}

// Redraws tells whether a tree can be redrawn in place on out: it is a
// terminal that obeys, and neither a CI job nor a dumb one. getenv gives TERM
// and CI. NO_COLOR has no say in it: it is about colour.
func Redraws(out io.Writer, getenv func(string) string) bool {
	f, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return false
	}
	return obeys(getenv)
}

func obeys(getenv func(string) string) bool {
	kind := getenv("TERM")
	return kind != "" && kind != "dumb" && getenv("CI") == ""
}

// size is 0, 0 when out is no terminal.
func size(out io.Writer) (width, height int) {
	f, ok := out.(*os.File)
	if !ok {
		return 0, 0
	}
	width, height, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0, 0
	}
	return width, height
}

// Recall implements View: of earlier lives only the head is repeated.
func (l *Lines) Recall(records []journal.Record) {
	for i := range records {
		if records[i].Kind == journal.RunStarted {
			l.Observe(gate.Event{Record: &records[i]})
			return
		}
	}
}

// Write implements View.
func (l *Lines) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Write(text)
}

// Pause implements View: lines do not stand in anybody's way.
func (l *Lines) Pause() {}

// Resume implements View.
func (l *Lines) Resume() {}

// tempo is how long a live view waits between two drawings.
const tempo = 100 * time.Millisecond
