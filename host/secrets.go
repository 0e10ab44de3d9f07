package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/config"
	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/run"
	"github.com/webhost-systems/drhost/host/secret"
	"github.com/webhost-systems/drhost/host/secret/sealed"
	"github.com/webhost-systems/drhost/host/terminal"
)

// The environment variables that open sealed credentials without a config and
// without a person.
const (
	identityVariable   = "DRHOST_IDENTITY"   // a private key's file, or the key itself
	passphraseVariable = "DRHOST_PASSPHRASE" // of a credential, or of the private key
)

// asking lets p ask the operator for passphrases until ctx ends, when the
// operator is a person at a terminal.
func (p *project) asking(ctx context.Context, operator gate.Operator) {
	person, ok := operator.(interface {
		Hidden(ctx context.Context, prompt string) (string, error)
	})
	if !ok {
		return
	}
	p.ask = func(prompt string) (secret.Value, error) {
		text, err := person.Hidden(ctx, prompt)
		return secret.New(text), err
	}
}

// sealed opens the project's sealed credentials. Keys and passphrases are
// looked for when one is first needed.
func (p *project) sealed(redactor *secret.Redactor) func(name string) (secret.Value, error) {
	return func(name string) (secret.Value, error) {
		if p.keys == nil {
			p.keys = unlocking(p.config, p.ask, redactor.Add)
		}
		return sealed.Folder{Path: p.config.SealedDir()}.Open(name, p.keys)
	}
}

func unlocking(c *config.Config, ask func(string) (secret.Value, error), learn func(secret.Value)) *sealed.Keys {
	keys := &sealed.Keys{Identity: c.Identity(), Ask: ask, Learn: learn}
	if identity := os.Getenv(identityVariable); identity != "" {
		keys.Identity = strings.TrimSpace(identity)
	}
	if passphrase := os.Getenv(passphraseVariable); passphrase != "" {
		keys.Ask = func(string) (secret.Value, error) { return secret.New(passphrase), nil }
	}
	return keys
}

// SealRequest asks for a credential to be sealed. In is where its value comes
// from: asked for, twice and without echo, when it is a terminal. The command
// line is no place for it, because every user's process list shows it.
type SealRequest struct {
	Name       string
	In         io.Reader
	Passphrase bool // lock with a passphrase instead of the config's recipients
	Replace    bool
}

// Sealed is what was sealed.
type Sealed struct {
	Name string `json:"name"`
	Path string `json:"path"`
	To   string `json:"to"` // "2 age keys"
}

// Seal encrypts a credential and keeps it beside the config.
func (h *Host) Seal(ctx context.Context, start string, r SealRequest) (*Sealed, error) {
	c, err := loadConfig(start)
	if err != nil {
		return nil, Usage(err)
	}
	if why := sealed.BadName(r.Name); why != "" {
		return nil, Usage(errors.New(why))
	}
	folder := sealed.Folder{Path: c.SealedDir()}
	lock, err := h.lock(ctx, c, r)
	if err != nil {
		return nil, err
	}
	value, err := readValue(ctx, r)
	if err != nil {
		return nil, err
	}
	h.redactor.Add(value)
	err = folder.Seal(r.Name, value, lock, r.Replace)
	var taken *sealed.ExistsError
	if errors.As(err, &taken) {
		err = fmt.Errorf("%w; add --replace to lose the value it holds", taken)
	}
	if err != nil {
		return nil, Usage(err)
	}
	list, err := folder.List()
	if err != nil {
		return nil, Usage(err)
	}
	for _, e := range list {
		if e.Name == r.Name {
			return &Sealed{Name: e.Name, Path: e.Path, To: sealed.Describe(e.To)}, nil
		}
	}
	return nil, fmt.Errorf("%s was sealed and is not there any more", r.Name)
}

func (h *Host) lock(ctx context.Context, c *config.Config, r SealRequest) (sealed.Lock, error) {
	if !r.Passphrase {
		if len(c.Secrets.Recipients) == 0 {
			return sealed.Lock{}, Usage(fmt.Errorf("there is nobody to seal for: write public keys into recipients under [secrets] in %s, or add --passphrase", config.File))
		}
		lock, err := sealed.To(c.Secrets.Recipients)
		return lock, Usage(err)
	}
	passphrase := os.Getenv(passphraseVariable)
	if passphrase == "" {
		var err error
		if passphrase, err = askTwice(ctx, "passphrase that will open "+r.Name); err != nil {
			return sealed.Lock{}, err
		}
	}
	h.redactor.Add(secret.New(passphrase))
	lock, err := sealed.With(secret.New(passphrase))
	return lock, Usage(err)
}

// readValue reads what is to be sealed.
func readValue(ctx context.Context, r SealRequest) (secret.Value, error) {
	var text string
	if IsTerminal(r.In) {
		var err error
		if text, err = askTwice(ctx, "value of "+r.Name); err != nil {
			return secret.Value{}, err
		}
	} else {
		const most = 1<<20 + 1 // one more than can be sealed
		read, err := io.ReadAll(io.LimitReader(r.In, most))
		if err != nil {
			return secret.Value{}, fmt.Errorf("read the value of %s: %w", r.Name, err)
		}
		text = string(read)
	}
	if strings.TrimSpace(text) == "" {
		return secret.Value{}, Usage(fmt.Errorf("there is nothing to seal: the value of %s is empty", r.Name))
	}
	return secret.New(text), nil
}

// askTwice asks for what nobody can see themselves type.
func askTwice(ctx context.Context, what string) (string, error) {
	first, err := askTerminal(ctx, what)
	if err != nil {
		return "", err
	}
	again, err := askTerminal(ctx, what+", once more")
	if err == nil && first != again {
		err = Usage(fmt.Errorf("the two differ: nothing was sealed"))
	}
	return first, err
}

// askTerminal asks at the terminal of the process, whatever its input is.
func askTerminal(ctx context.Context, prompt string) (string, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return "", &Error{run.ExitWaits, fmt.Errorf("the %s is needed and there is no terminal to ask at; set %s if it is a passphrase", prompt, passphraseVariable)}
	}
	defer tty.Close() // nothing of what was written has to last
	text, err := terminal.AskHidden(ctx, tty, prompt)
	if errors.Is(err, gate.ErrNobody) || ctx.Err() != nil {
		err = &Error{run.ExitInterrupted, fmt.Errorf("interrupted at the %s: nothing was done", prompt)}
	}
	return text, err
}

// OpenSealed returns the value of a sealed credential.
func (h *Host) OpenSealed(ctx context.Context, start, name string) (string, error) {
	c, err := loadConfig(start)
	if err != nil {
		return "", Usage(err)
	}
	ask := func(prompt string) (secret.Value, error) {
		text, err := askTerminal(ctx, prompt)
		return secret.New(text), err
	}
	v, err := sealed.Folder{Path: c.SealedDir()}.Open(name, unlocking(c, ask, h.redactor.Add))
	var unknown *sealed.UnknownError
	var coded *Error
	switch {
	case errors.As(err, &unknown):
		text := unknown.Error()
		if near := binding.Nearest(name, unknown.Known); near != "" {
			text += fmt.Sprintf("; did you mean %q?", near)
		} else if len(unknown.Known) > 0 {
			text += "; there are " + strings.Join(unknown.Known, ", ")
		}
		return "", Usage(errors.New(text))
	case errors.As(err, &coded):
		return "", coded
	}
	return v.Reveal(), Usage(err)
}

// SealedLine is one sealed credential in a list. It says nothing of the value.
type SealedLine struct {
	sealed.Entry
	OpensWith string   `json:"opens_with"` // "2 age keys"
	UsedBy    []string `json:"used_by"`    // settings that refer to it
	Note      string   `json:"note,omitempty"`
}

// ListSealed returns what is sealed, and what the config refers to without its
// being sealed.
func (h *Host) ListSealed(start string) ([]SealedLine, error) {
	c, err := loadConfig(start)
	if err != nil {
		return nil, Usage(err)
	}
	entries, err := sealed.Folder{Path: c.SealedDir()}.List()
	if err != nil {
		return nil, Usage(err)
	}
	used := c.SealedReferences()
	list := []SealedLine{}
	for _, e := range entries {
		line := SealedLine{Entry: e, OpensWith: sealed.Describe(e.To), UsedBy: notNil(used[e.Name]), Note: e.Problem}
		if n := len(c.Secrets.Recipients); e.Problem == "" && !e.Passphrase() && n > 0 && n != len(e.To) {
			line.Note = fmt.Sprintf("sealed for %d, but %s names %d recipients: seal it anew", len(e.To), config.File, n)
		}
		list = append(list, line)
		delete(used, e.Name)
	}
	for name, by := range used {
		problem := "not sealed yet: drhost secrets seal " + name
		list = append(list, SealedLine{Entry: sealed.Entry{Name: name, To: []string{}, Problem: problem}, UsedBy: by, Note: problem})
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Name < list[j].Name })
	return list, nil
}

func notNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// SealedTable prints sealed credentials, a line each.
func (h *Host) SealedTable(w io.Writer, list []SealedLine) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(w, "nothing is sealed yet; `drhost secrets seal NAME` does it")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tOPENS WITH\tSEALED\tUSED BY\tNOTE")
	for _, l := range list {
		when := "-"
		if !l.Sealed.IsZero() {
			when = fmt.Sprintf("%s (%s)", l.Sealed.Local().Format("2006-01-02"), age(h.Clock.Now().Sub(l.Sealed)))
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", l.Name, dash(l.OpensWith), when, dash(strings.Join(l.UsedBy, ", ")), dash(l.Note))
	}
	return t.Flush()
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// age is how long ago something was.
func age(d time.Duration) string {
	switch days := int(d.Hours() / 24); {
	case days > 1:
		return fmt.Sprintf("%d days ago", days)
	case days == 1:
		return "yesterday"
	}
	return "today"
}
