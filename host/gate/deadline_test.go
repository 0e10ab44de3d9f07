package gate_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/host/approval"
	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/journal/storetest"
)

// whenSigned is the moment that newSigner's answers bear.
var whenSigned = time.Unix(1772247900, 0)

// TestTimeRunsOutBetweenLives: the time for an answer goes on while nobody runs
// the run. What was signed in time counts, what came later does not.
func TestTimeRunsOutBetweenLives(t *testing.T) {
	for name, c := range map[string]struct {
		asked time.Time // within is ten minutes
		back  time.Time // when it is resumed
		good  bool
		asks  int
	}{
		"in time, resumed in time": {whenSigned.Add(-time.Minute), whenSigned.Add(time.Minute), true, 1},
		"in time, resumed late":    {whenSigned.Add(-time.Minute), whenSigned.Add(time.Hour), true, 1},
		"too late":                 {whenSigned.Add(-time.Hour), whenSigned.Add(time.Minute), true, 2}, // asked anew, and answered: the desk signs again
		"clock set back":           {whenSigned.Add(-time.Minute), whenSigned.Add(-24 * time.Hour), true, 1},
	} {
		d, log, clock := newDesk(t), &tape{dies: 2}, storetest.NewFixed(c.asked)
		d.answers["anna"] = approval.Approved // the run dies in counting it
		if _, err := gather(t, open(t, gate.Options{Signatures: d, Clock: clock}, log), 1, 10*time.Minute); err == nil {
			t.Fatalf("%s: it did not die: %s", name, log.text())
		}
		log.dies = 0
		clock.Set(c.back)
		by, err := gather(t, open(t, gate.Options{Signatures: d, Clock: clock}, log), 1, 10*time.Minute)
		if (err == nil) != c.good || c.good && !slices.Equal(by, []string{"anna"}) {
			t.Errorf("%s: %v, %v", name, by, err)
		}
		if n := strings.Count(log.text(), `"signing":true`); n != c.asks {
			t.Errorf("%s: asked %d times:\n%s", name, n, log.text())
		}
		late := strings.Contains(log.text(), "the approval of anna came too late") && strings.Contains(log.text(), `"answer":"unanswered"`)
		if late != (name == "too late") {
			t.Errorf("%s: said to be late: %v\n%s", name, late, log.text())
		}
	}
}

// TestApproverRemoved: an approval that was counted in an earlier life does not
// count when its giver is no approver any more, nor one that nobody signed.
func TestApproverRemoved(t *testing.T) {
	d, log := newDesk(t), &tape{}
	d.answers["anna"] = approval.Approved
	if _, err := gather(t, open(t, gate.Options{Signatures: d}, log), 2, 0); err == nil {
		t.Fatal("one person was enough")
	}
	forged := journal.Approval{Key: "Agree", Text: "Give up hobby-1", Answer: approval.Approved, By: "carl", Call: "Agree/1", Asked: "hash-1"}
	if _, err := log.Append(journal.ApprovalGiven, forged, true); err != nil {
		t.Fatal(err)
	}
	d.names, d.answers = []string{"ben", "carl"}, map[string]string{"ben": approval.Approved}
	_, err := gather(t, open(t, gate.Options{Signatures: d}, log), 2, 0)
	if stop := stopOf(t, err); stop.Why != gate.Nobody || !strings.Contains(stop.Text, "1 of 2 signed approvals so far (ben)") {
		t.Errorf("%+v", stop)
	}
	for _, want := range []string{"the approval of anna does not count any more: anna is no approver", "the approval of carl does not count any more"} {
		if !strings.Contains(log.text(), want) {
			t.Errorf("%q is missing in\n%s", want, log.text())
		}
	}
}
