package terminal

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/webhost-systems/drhost/host/gate"
)

// Hidden asks for a line that the terminal does not show. Blanks at its ends
// belong to it. Closed input is nobody there.
func (p *Person) Hidden(ctx context.Context, prompt string) (string, error) {
	defer p.turn()()
	show, err := hideEcho(p.in)
	if err != nil {
		return "", err
	}
	defer fmt.Fprintln(p.out) // in place of the one that was not shown
	defer show()
	fmt.Fprintf(p.out, "%s: ", prompt)
	select {
	case <-ctx.Done():
		return "", context.Cause(ctx)
	case line, ok := <-p.lines:
		if !ok {
			return "", gate.ErrNobody
		}
		return line, nil
	}
}

// AskHidden asks at the terminal tty itself, for commands without a Person. Its
// echo is there again when AskHidden returns, also because ctx ended.
func AskHidden(ctx context.Context, tty *os.File, prompt string) (string, error) {
	show, err := hideEcho(tty)
	if err != nil {
		return "", err
	}
	defer fmt.Fprintln(tty)
	defer show()
	fmt.Fprintf(tty, "%s: ", prompt)
	type line struct {
		text string
		err  error
	}
	typed := make(chan line, 1)
	go func() {
		text, err := bufio.NewReaderSize(tty, 16).ReadString('\n')
		typed <- line{text, err}
	}()
	select {
	case <-ctx.Done():
		return "", context.Cause(ctx)
	case l := <-typed:
		if l.err != nil && l.text == "" {
			return "", gate.ErrNobody
		}
		return strings.TrimRight(l.text, "\r\n"), nil
	}
}

// hideEcho keeps a terminal from showing what is typed; show undoes it.
// Anything but a terminal shows nothing anyway.
func hideEcho(in io.Reader) (show func(), err error) {
	f, ok := in.(*os.File)
	if !ok {
		return func() {}, nil
	}
	fd := int(f.Fd())
	before, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return func() {}, nil
	}
	quiet := *before
	quiet.Lflag &^= unix.ECHO
	quiet.Lflag |= unix.ICANON | unix.ISIG
	if err := unix.IoctlSetTermios(fd, setTermios, &quiet); err != nil {
		return nil, fmt.Errorf("hide what is typed: %w", err)
	}
	return func() { _ = unix.IoctlSetTermios(fd, setTermios, before) }, nil // a terminal that is gone shows nothing
}
