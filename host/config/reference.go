package config

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/secret"
	"github.com/webhost-systems/drhost/host/secret/sealed"
)

const (
	// commandWithin leaves a person time to unlock a password manager.
	commandWithin = 60 * time.Second
	// longest is how many bytes a credential may have: a key, not an image.
	longest = 1 << 20
)

func schemes() []string { return []string{"env", "file", "cmd", "sealed", "plain"} }

// Sources is where the references of one environment are resolved.
type Sources struct {
	Env       string // the environment's name, for messages
	Simulated bool   // allows "plain:..."
	Getenv    func(name string) string
	Dir       string           // relative paths and commands start here
	Redactor  *secret.Redactor // learns every credential; may be nil
	Within    time.Duration    // for a command; zero is a minute
	// Sealed opens a sealed credential; nil when there is no folder of them.
	Sealed func(name string) (secret.Value, error)
}

// Resolver resolves references to credentials:
//
//	env:NAME     the environment variable NAME
//	file:PATH    the content of a file that only its owner and group may read;
//	             relative to Dir, "~" is the home folder
//	cmd:COMMAND  what `sh -c COMMAND` prints, such as a password manager
//	sealed:NAME  a credential that `drhost secrets seal NAME` has encrypted
//	plain:TEXT   TEXT itself, in simulated environments only
//
// Newlines at the end are cut off. Faults are of kind invalid: they name the
// variable, the file or the command's program, never what was found. A
// reference is resolved once; the resolver is safe for concurrent use.
func Resolver(s Sources) binding.Resolver {
	r := &resolver{Sources: s, known: map[string]secret.Value{}}
	return r.resolve
}

type resolver struct {
	Sources
	mu    sync.Mutex // also keeps a command from being started twice
	known map[string]secret.Value
}

func (r *resolver) resolve(reference string) (secret.Value, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if v, ok := r.known[reference]; ok {
		return v, nil
	}
	if why := badReference(reference); why != "" {
		return secret.Value{}, fault.New(fault.Invalid, "a credential of environment %q is no reference", r.Env).WithHint("%s", why)
	}
	scheme, rest, _ := strings.Cut(reference, ":")
	var text string
	var err error
	switch scheme {
	case "env":
		text, err = r.variable(rest)
	case "file":
		text, err = r.file(rest)
	case "cmd":
		text, err = r.command(rest)
	case "sealed":
		text, err = r.sealed(rest)
	case "plain":
		text, err = rest, nil
		if !r.Simulated {
			err = fault.New(fault.Invalid, "a credential of environment %q is written out", r.Env).
				WithHint("plain: is for simulated environments; use env:NAME, file:PATH, cmd:COMMAND or sealed:NAME")
		}
	}
	if err != nil {
		return secret.Value{}, err
	}
	v := secret.New(strings.TrimRight(text, "\r\n"))
	if r.Redactor != nil {
		r.Redactor.Add(v)
	}
	r.known[reference] = v
	return v, nil
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (r *resolver) variable(name string) (string, error) {
	if !variableName.MatchString(name) { // it may be a token behind "env:"
		return "", fault.New(fault.Invalid, "a credential of environment %q refers to no environment variable", r.Env).
			WithHint("after env: comes a variable's name, such as env:HETZNER_API_TOKEN")
	}
	if text := r.Getenv(name); strings.TrimRight(text, "\r\n") != "" {
		return text, nil
	}
	return "", fault.New(fault.Invalid, "the environment variable %s is not set", name).
		WithHint("environment %q takes a credential from it: export %s=..., or name another source in %s; to try the runbook without credentials, use drhost drill", r.Env, name, File)
}

func (r *resolver) file(name string) (string, error) {
	path := located(name, r.Dir, r.Getenv)
	bad := func(format string, args ...any) *fault.Fault {
		f := fault.New(fault.Invalid, format, args...)
		f.Message = fmt.Sprintf("the credential file %s of environment %q %s", path, r.Env, f.Message)
		return f
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", bad("does not exist").WithHint("make it with mode 600, or name another source in %s", File)
	}
	if err != nil {
		return "", bad("cannot be opened: %v", errors.Unwrap(err))
	}
	defer f.Close() // read-only: nothing can be lost here
	info, err := f.Stat()
	switch {
	case err != nil:
		return "", bad("cannot be read: %v", errors.Unwrap(err))
	case !info.Mode().IsRegular():
		return "", bad("is no file")
	case info.Mode().Perm()&0o006 != 0:
		return "", bad("is open to every user of this machine").WithHint("chmod 600 %s", path)
	case info.Size() > longest:
		return "", bad("is too large for a credential: %d bytes", info.Size())
	}
	text, err := io.ReadAll(io.LimitReader(f, longest))
	if err != nil {
		return "", bad("cannot be read: %v", errors.Unwrap(err))
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return "", bad("is empty")
	}
	return string(text), nil
}

func (r *resolver) sealed(name string) (string, error) {
	if r.Sealed == nil {
		return "", fault.New(fault.Invalid, "environment %q refers to the sealed credential %q, and there are none here", r.Env, name).
			WithHint("drhost secrets seal %s makes it", name)
	}
	v, err := r.Sealed(name)
	var unknown *sealed.UnknownError
	if errors.As(err, &unknown) {
		return "", fault.New(fault.Invalid, "%s%s", unknown.Error(), didYouMean(name, unknown.Known)).
			WithHint("environment %q takes a credential from it; drhost secrets seal %s makes it", r.Env, name)
	}
	if err == nil && strings.TrimRight(v.Reveal(), "\r\n") == "" {
		err = fault.New(fault.Invalid, "the sealed credential %q is empty", name)
	}
	return v.Reveal(), err
}

func (r *resolver) command(command string) (string, error) {
	within := r.Within
	if within == 0 {
		within = commandWithin
	}
	ctx, stop := context.WithTimeout(context.Background(), within)
	defer stop()
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	// In this process's own group and session, so that a password manager may
	// ask on the terminal.
	cmd.Dir, cmd.Stdout, cmd.WaitDelay = r.Dir, &out, time.Second
	err := cmd.Run()
	if err == nil && strings.TrimRight(out.String(), "\r\n") != "" {
		return out.String(), nil
	}
	program, _, _ := strings.Cut(strings.TrimSpace(command), " ")
	reason := "printed nothing"
	if ctx.Err() != nil {
		reason = fmt.Sprintf("did not end within %v", within)
	} else if err != nil {
		reason = "ended with " + err.Error()
	}
	return "", fault.New(fault.Invalid, "the command %s ..., which gives a credential of environment %q, %s", program, r.Env, reason).
		WithHint("run the command by hand to see why")
}
