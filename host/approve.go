package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/webhost-systems/drhost/host/approval"
	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/policy"
)

// ApproveRequest is a person's answer to a run's question.
type ApproveRequest struct {
	As       string // an approver's name; "": whoever owns the key
	KeyFile  string // private key; "": the SSH agent, else ~/.ssh/id_ed25519
	Deny     bool
	Question string // the beginning of a question's id; needed when several are open
	// Passphrase is asked when the key needs one; nil: nobody can be asked.
	Passphrase func(path string) (string, error)
	// Confirm shows what is about to be signed; nil: the command is consent
	// enough.
	Confirm func(q OpenQuestion, answer, by string) (bool, error)
}

// OpenQuestion is one that waits for signed answers.
type OpenQuestion struct {
	ID       string     `json:"id"`
	Run      string     `json:"run"`
	Text     string     `json:"text"`
	Where    string     `json:"where"` // file:line
	Needs    int        `json:"needs"`
	Approved []string   `json:"approved,omitempty"` // by whom so far, as the run has counted
	Asked    time.Time  `json:"asked"`
	Until    *time.Time `json:"until,omitempty"` // after it no answer counts

	question approval.Question
}

// Approved is what `drhost approve` did.
type Approved struct {
	Question    OpenQuestion `json:"question"`
	Answer      string       `json:"answer"`
	By          string       `json:"by"`
	Fingerprint string       `json:"fingerprint"`
	Path        string       `json:"path"`
}

// Approve signs an answer to a question of a run and lays it into the run's
// folder, where the run finds it: at once when it waits, else when it is
// resumed.
func (h *Host) Approve(ctx context.Context, start, id string, r ApproveRequest) (*Approved, error) {
	p, err := h.open(start)
	if err != nil {
		return nil, err
	}
	if id, err = h.findRun(ctx, p, id); err != nil {
		return nil, err
	}
	approvers := p.config.Signers()
	if len(approvers) == 0 {
		return nil, Usage(errors.New("drhost.toml names no [[approvers]], so no signed answer is asked for; an approver has a name and a key (ssh-ed25519 AAAA...)"))
	}
	if r.As != "" && approval.Find(approvers, r.As) == nil {
		return nil, Usage(fmt.Errorf("drhost.toml names no approver %q; there are %s", r.As, namesOf(approvers)))
	}
	q, err := p.openQuestion(ctx, id, r.Question)
	if err != nil {
		return nil, err
	}
	if q.Until != nil && h.Clock.Now().After(*q.Until) {
		return nil, Usage(fmt.Errorf("the time to answer ran out at %s: %q; `drhost resume %s` asks again", q.Until.Local().Format(time.DateTime), q.Text, id))
	}
	key, done, err := signerFor(r, approvers)
	if err != nil {
		return nil, Usage(err)
	}
	defer done()
	by := approval.Owner(approvers, key.PublicKey())
	if by == nil {
		return nil, Usage(fmt.Errorf("the key %s belongs to no approver of drhost.toml; there are %s", approval.Fingerprint(key.PublicKey()), namesOf(approvers)))
	}
	if r.As != "" && by.Name != r.As {
		return nil, Usage(fmt.Errorf("the key %s is that of %s, not of %s", approval.Fingerprint(key.PublicKey()), by.Name, r.As))
	}
	return h.sign(p, q, r, key, by.Name, approvers)
}

func (h *Host) sign(p *project, q OpenQuestion, r ApproveRequest, key ssh.Signer, by string, approvers []approval.Approver) (*Approved, error) {
	answer := approval.Approved
	if r.Deny {
		answer = approval.Denied
	}
	if r.Confirm != nil {
		yes, err := r.Confirm(q, answer, by)
		if err != nil {
			return nil, err
		}
		if !yes {
			return nil, &Error{ExitInterrupted, errors.New("nothing was signed")}
		}
	}
	signed, err := approval.Sign(approval.Statement{Question: q.question, Answer: answer, By: by, At: h.Clock.Now()}, key)
	if err != nil {
		return nil, err
	}
	path, err := approval.Folder{Run: p.store.Path(q.Run), Approvers: approvers}.Write(signed)
	if err != nil {
		return nil, journalError(err)
	}
	return &Approved{Question: q, Answer: answer, By: by, Fingerprint: approval.Fingerprint(key.PublicKey()), Path: path}, nil
}

// Text prints what was signed.
func (a *Approved) Text(w io.Writer) error {
	_, err := fmt.Fprintf(w, "%s, signed by %s (%s): %s\n  asked by run %s at %s\n", a.Answer, a.By, a.Fingerprint, a.Question.Text, a.Question.Run, a.Question.Where)
	return err
}

func namesOf(approvers []approval.Approver) string {
	var names []string
	for _, a := range approvers {
		names = append(names, a.Name)
	}
	return strings.Join(names, ", ")
}

// signerFor finds the private key to sign with: the file that was named, else
// the SSH agent, else the usual file.
func signerFor(r ApproveRequest, approvers []approval.Approver) (ssh.Signer, func() error, error) {
	nothing := func() error { return nil }
	if r.KeyFile != "" {
		key, err := approval.Load(r.KeyFile, r.Passphrase)
		return key, nothing, err
	}
	if socket := os.Getenv("SSH_AUTH_SOCK"); socket != "" {
		key, done, err := approval.FromAgent(socket, r.As, approvers)
		if err == nil {
			return key, done, nil
		}
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return nil, nothing, errors.New("name the private key with --key FILE")
	}
	path := filepath.Join(home, ".ssh", "id_ed25519")
	if _, err := os.Stat(path); err != nil {
		return nil, nothing, fmt.Errorf("there is no key to sign with: no SSH agent holds an approver's key, and there is no %s; name one with --key FILE", path)
	}
	key, err := approval.Load(path, r.Passphrase)
	return key, nothing, err
}

// openQuestion is the question of the run whose id begins with prefix; with ""
// the only one there is.
func (p *project) openQuestion(ctx context.Context, id, prefix string) (OpenQuestion, error) {
	records, err := p.store.Read(ctx, id)
	if err != nil {
		return OpenQuestion{}, runError(id, err)
	}
	open, err := openQuestions(id, records)
	if err != nil {
		return OpenQuestion{}, journalError(err)
	}
	var matching []OpenQuestion
	var list strings.Builder
	for _, q := range open {
		if strings.HasPrefix(q.ID, prefix) {
			matching = append(matching, q)
		}
		fmt.Fprintf(&list, "\n  --question %.8s  %s (%s)", q.ID, q.Text, q.Where)
	}
	switch {
	case len(open) == 0:
		return OpenQuestion{}, Usage(fmt.Errorf("run %s asks for no signed answer at present; `drhost show %s` tells where it stands", id, id))
	case len(matching) == 0:
		return OpenQuestion{}, Usage(fmt.Errorf("run %s has no open question %s; there are:%s", id, prefix, &list))
	case len(matching) > 1:
		return OpenQuestion{}, Usage(fmt.Errorf("run %s has %d open questions, say which:%s", id, len(matching), &list))
	}
	return matching[0], nil
}

// openQuestions are those of a run that signed answers can still decide.
func openQuestions(run string, records []journal.Record) ([]OpenQuestion, error) {
	var open []OpenQuestion
	drop := func(is func(OpenQuestion) bool) {
		kept := open[:0]
		for _, q := range open {
			if !is(q) {
				kept = append(kept, q)
			}
		}
		open = kept
	}
	for _, r := range records {
		switch r.Kind {
		case journal.ApprovalAsked, journal.ApprovalGiven:
			a, err := journal.Decode[journal.Approval](r)
			if err != nil {
				return nil, err
			}
			if r.Kind == journal.ApprovalAsked {
				drop(func(q OpenQuestion) bool { return q.question.Key == a.Call })
				if a.Signing {
					open = append(open, asOpen(run, r, a))
				}
				continue
			}
			for i := range open {
				if open[i].question.Asked == a.Asked {
					open[i].Approved = append(open[i].Approved, a.By)
				}
			}
			drop(func(q OpenQuestion) bool {
				return q.question.Asked == a.Asked && (a.Answer != approval.Approved || a.BreakGlass != "" || len(q.Approved) >= q.Needs)
			})
		case journal.CallOutcome:
			out, err := journal.Decode[journal.Outcome](r)
			if err != nil {
				return nil, err
			}
			drop(func(q OpenQuestion) bool { return q.question.Key == out.Key })
		case journal.RunFinished:
			end, err := journal.Decode[journal.Finished](r)
			if err != nil {
				return nil, err
			}
			if end.Result == "done" {
				open = nil
			}
		}
	}
	return open, nil
}

func asOpen(run string, r journal.Record, a journal.Approval) OpenQuestion {
	q := approval.Question{Run: run, Key: a.Call, Text: a.Text, Needs: a.Needs, Asked: r.Hash}
	return OpenQuestion{ID: q.ID(), Run: run, Text: a.Text, Where: a.Site.String(), Needs: a.Needs, Asked: r.Time, Until: a.Until, question: q}
}

// VerifiedApproval is an answer whose signature was checked again.
type VerifiedApproval struct {
	By          string    `json:"by"`
	Answer      string    `json:"answer"`
	Text        string    `json:"text"`
	At          time.Time `json:"at"`
	Fingerprint string    `json:"fingerprint"`
	// Known tells whether drhost.toml still has this key for this person.
	Known bool `json:"known"`
}

// String is a line for a person.
func (a VerifiedApproval) String() string {
	about := ""
	if !a.Known {
		about = "; drhost.toml does not give this key to that name any more"
	}
	return fmt.Sprintf("%s by %s at %s, signature holds (%s%s): %s", a.Answer, a.By, a.At.UTC().Format("2006-01-02 15:04:05 UTC"), a.Fingerprint, about, a.Text)
}

// verifyApprovals checks every signature in the journal over the question as
// the journal asked it.
func verifyApprovals(run string, records []journal.Record, approvers []approval.Approver) ([]VerifiedApproval, error) {
	asked := map[string]journal.Approval{}
	var out []VerifiedApproval
	for _, r := range records {
		if r.Kind != journal.ApprovalAsked && r.Kind != journal.ApprovalGiven {
			continue
		}
		a, err := journal.Decode[journal.Approval](r)
		if err != nil {
			return nil, err
		}
		if r.Kind == journal.ApprovalAsked {
			asked[r.Hash] = a
			continue
		}
		q, signing := asked[a.Asked]
		if signing && q.Signing && a.Signed == nil && a.BreakGlass == "" && a.Answer == approval.Approved {
			return out, fmt.Errorf("record %d: %q needed signed answers, and that of %s is not signed", r.Seq, a.Text, a.By)
		}
		if a.Signed == nil {
			continue
		}
		s := approval.Signed{PublicKey: a.Signed.PublicKey, Signature: a.Signed.Signature, Statement: approval.Statement{Answer: a.Answer, By: a.By, At: a.Signed.At,
			Question: approval.Question{Run: run, Key: q.Call, Text: q.Text, Needs: q.Needs, Asked: a.Asked}}}
		key, err := s.Verify()
		if err != nil {
			return out, fmt.Errorf("record %d, the answer to %q: %w", r.Seq, q.Text, err)
		}
		owner := approval.Owner(approvers, key)
		out = append(out, VerifiedApproval{By: a.By, Answer: a.Answer, Text: q.Text, At: a.Signed.At, Fingerprint: approval.Fingerprint(key),
			Known: owner != nil && owner.Name == a.By})
	}
	return out, nil
}

// signatures are the signed answers that a run may count; nil when the
// operator's word is enough: nobody is configured, or it is a drill.
func (p *project) signatures(run string, mode policy.Mode) gate.Signatures {
	approvers := p.config.Signers()
	if len(approvers) == 0 || mode == policy.Drill {
		return nil
	}
	return signatures{approval.Folder{Run: p.store.Path(run), Approvers: approvers}}
}

type signatures struct{ approval.Folder }

// Names implements gate.Signatures.
func (s signatures) Names() []string {
	var names []string
	for _, a := range s.Approvers {
		names = append(names, a.Name)
	}
	return names
}
