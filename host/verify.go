package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/journal/filestore"
	"github.com/webhost-systems/drhost/host/report"
)

// Verified is what Verify found.
type Verified struct {
	ID      string `json:"id"`
	Records int    `json:"records"`
	Head    string `json:"head"` // hash of the last record
	Torn    int    `json:"torn_bytes,omitempty"`
	// Approvals are the signed answers; each signature holds.
	Approvals []VerifiedApproval `json:"approvals,omitempty"`
	// Reports are the files beside the journal that say what it says.
	Reports []string `json:"reports,omitempty"`
	// Remarks are what is not as it could be, and no damage.
	Remarks []string `json:"remarks,omitempty"`
}

// Verify checks the chain of a run and its length, that every sealed script is
// the one the journal names, the signatures, and that the reports say what the
// journal says.
func (h *Host) Verify(ctx context.Context, start, id string) (*Verified, error) {
	p, err := h.open(start)
	if err != nil {
		return nil, err
	}
	if id, err = h.findRun(ctx, p, id); err != nil {
		return nil, err
	}
	return h.verify(p, id)
}

func (h *Host) verify(p *project, id string) (*Verified, error) {
	records, tail, err := filestore.Verify(p.store.Path(id), id)
	if err != nil {
		return nil, journalError(err)
	}
	v := &Verified{ID: id, Records: len(records), Torn: len(tail.Torn)}
	if len(records) > 0 {
		v.Head = records[len(records)-1].Hash
	}
	if v.Approvals, err = verifyApprovals(id, records, p.config.Signers()); err != nil {
		return nil, journalError(fmt.Errorf("run %s: %w", id, err))
	}
	if err := h.verifySource(p, id, records); err != nil {
		return nil, err
	}
	return v, h.verifyReports(p, v, records)
}

// VerifiedText says what Verify found.
func (h *Host) VerifiedText(w io.Writer, v *Verified) error {
	if v.Records == 0 {
		_, err := fmt.Fprintf(w, "%s holds no record: it died before it began\n", v.ID)
		return err
	}
	_, err := fmt.Fprintf(w, "%s is whole: %d records, chained to %s\n", v.ID, v.Records, v.Head)
	if err == nil && v.Torn > 0 {
		_, err = fmt.Fprintf(w, "after them stand %d bytes of a line that was being written when the run died; a resume cuts them off\n", v.Torn)
	}
	for _, remark := range v.Remarks {
		if err == nil {
			_, err = fmt.Fprintf(w, "  %s\n", remark)
		}
	}
	for _, signed := range v.Approvals {
		if err == nil {
			_, err = fmt.Fprintf(w, "  %s\n", signed)
		}
	}
	return err
}

func (h *Host) verifySource(p *project, id string, records []journal.Record) error {
	for _, r := range records {
		if r.Kind != journal.RunStarted {
			continue
		}
		started, err := journal.Decode[journal.Started](r)
		if err != nil {
			return journalError(err)
		}
		all, err := everSealed(started, records)
		if err != nil {
			return err
		}
		if started.Origin == "" { // older versions kept an edited script in place of the first
			all = all[len(all)-1:]
		}
		for _, s := range all {
			if _, err := h.unseal(p.store.Path(id), started, s); err != nil {
				return journalError(err)
			}
		}
	}
	return nil
}

// verifyReports renders the reports once more. One that an earlier life of the
// run has left is measured by the journal up to the record that it names.
func (h *Host) verifyReports(p *project, v *Verified, records []journal.Record) error {
	started, begun, err := headOf(records)
	if err != nil || !begun {
		return err
	}
	for _, f := range reportFiles() {
		path := filepath.Join(p.store.Path(v.ID), f.name)
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // a run that is under way, or was killed
		}
		if err != nil {
			return journalError(err)
		}
		same, err := rendersAs(f, text, records)
		switch {
		case err != nil:
			return journalError(err)
		case same:
			v.Reports = append(v.Reports, f.name)
		case started.Version == h.Version:
			return journalError(fmt.Errorf("%s does not say what the journal says: it was changed after the fact; `drhost report %s` says it anew", path, v.ID))
		default:
			v.Remarks = append(v.Remarks, fmt.Sprintf("%s was written by another version of drhost (%s), or changed; `drhost report %s` says it anew", f.name, started.Version, v.ID))
		}
	}
	return nil
}

// rendersAs tells whether text is the report of records, or of those up to the
// last one whose hash it holds.
func rendersAs(f reportFile, text []byte, records []journal.Record) (bool, error) {
	for n := len(records); n > 0; n-- {
		if !bytes.Contains(text, []byte(records[n-1].Hash)) {
			continue
		}
		built, err := report.Build(records[:n])
		if err != nil {
			return false, err
		}
		var out bytes.Buffer
		err = f.write(&out, built)
		return bytes.Equal(out.Bytes(), text), err
	}
	return false, nil
}
