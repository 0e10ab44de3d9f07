package report

import (
	"testing"
	"time"

	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/journal"
)

var start = time.Date(2026, 2, 28, 3, 0, 0, 0, time.UTC)

// writer makes a chained journal in memory; at is seconds from start.
type writer struct {
	t       *testing.T
	run     string
	epoch   int64
	records []journal.Record
}

func (w *writer) add(at float64, kind journal.Kind, payload any) {
	w.t.Helper()
	body, err := journal.EncodePayload(payload)
	if err != nil {
		w.t.Fatal(err)
	}
	r := journal.Record{Seq: int64(len(w.records)) + 1, Time: start.Add(seconds(at)), Epoch: w.epoch, Kind: kind, Payload: body, Prev: journal.Genesis(w.run)}
	if n := len(w.records); n > 0 {
		r.Prev = w.records[n-1].Hash
	}
	if _, err := journal.Seal(nil, &r); err != nil {
		w.t.Fatal(err)
	}
	w.records = append(w.records, r)
}

func (w *writer) begin(mode string, change func(*journal.Started)) {
	w.t.Helper()
	s := journal.Started{Run: w.run, Runbook: "runbooks/hetzner_failure.lua", Title: "Hetzner server failure", Severity: "critical",
		Impact: "Complete outage for the hobby-tier customers on it", SourceHash: "5f1d", Input: map[string]any{"server": "hobby-1"},
		Env: "sim", Mode: mode, Operator: "alice", DetectedAt: start.Add(-90 * time.Second), RTO: "4h", RPO: "1h", Version: "0.1.0"}
	if change != nil {
		change(&s)
	}
	w.add(0, journal.RunStarted, s)
}

func (w *writer) open(at float64, form, path, title string) {
	w.t.Helper()
	w.add(at, journal.StepStarted, journal.Step{Path: path, Title: title, Form: form})
}

func (w *writer) end(at float64, form, path, title, result string, f *fault.Fault) {
	w.t.Helper()
	w.add(at, journal.StepFinished, journal.Step{Path: path, Title: title, Form: form, Result: result, Fault: f})
}

func (w *writer) read(at float64, key, call string, took, cut float64, f *fault.Fault) {
	w.t.Helper()
	w.add(at, journal.CallOutcome, journal.Outcome{Key: key, Call: call, Effect: "reads", Says: call, Started: start.Add(seconds(at - took)), Took: took, Cut: cut, Fault: f})
}

func (w *writer) mutate(from, at float64, key, call, effect, says string, cut float64, f *fault.Fault) {
	w.t.Helper()
	w.add(from, journal.CallIntent, journal.Intent{Key: key, Call: call, Effect: effect, Says: says})
	w.add(at, journal.CallOutcome, journal.Outcome{Key: key, Call: call, Effect: effect, Took: at - from, Cut: cut, Fault: f})
}

func newWriter(t *testing.T, run string) *writer { return &writer{t: t, run: run, epoch: 1} }

// drill is a whole recovery: a fault, an approval, two branches, a lost
// answer, an interruption, evidence.
func drill(t *testing.T) []journal.Record {
	w := newWriter(t, "20260228-030000-hetzner")
	w.begin("drill", func(s *journal.Started) {
		s.Drill, s.World, s.Speed = "A replacement is needed", "webhost", 60
	})
	w.add(0.05, journal.FaultInjected, journal.Injected{Fault: "kill_server", Args: map[string]any{"server": "hobby-1"}, At: start.Add(-120 * time.Second)})
	w.open(0.1, "step", "Assess the server", "Assess the server")
	w.read(0.2, "Assess the server/1", "hetzner.server", 0.1, 0.06, nil)
	w.end(0.2, "step", "Assess the server", "Assess the server", "value", nil)
	w.open(0.3, "step", "Try a hard reboot", "Try a hard reboot")
	late := fault.New(fault.Timeout, "hobby-1 did not report running within 5m").WithOp("reboot hobby-1")
	w.mutate(0.3, 5.3, "Try a hard reboot/1", "hetzner.reboot", "mutates", "reboot hobby-1 (hard)", 295, late)
	w.end(5.4, "step", "Try a hard reboot", "Try a hard reboot", "fault", late)
	w.open(5.4, "step", "Decide", "Decide")
	w.add(5.5, journal.ApprovalAsked, journal.Approval{Key: "Decide", Text: "Replace hobby-1?", Needs: 1})
	w.add(35.5, journal.ApprovalGiven, journal.Approval{Key: "Decide", Answer: "approved", By: "bob"})
	w.add(35.5, journal.CallOutcome, journal.Outcome{Key: "Decide/1", Call: "host.approve", Effect: "reads", Says: "approve: Replace hobby-1?", Took: 30})
	w.add(35.7, journal.CallOutcome, journal.Outcome{Key: "Decide/2", Call: "host.ask", Effect: "reads", Says: "ask: Which location?", Args: map[string]any{"text": "Which location?"},
		Value: "nbg1", Started: start.Add(35600 * time.Millisecond), Took: 0.1})
	w.end(35.8, "step", "Decide", "Decide", "value", nil)
	w.open(36, "parallel", "Prepare", "Prepare")
	w.open(36, "branch", "Prepare/server", "server")
	w.open(36, "branch", "Prepare/backup", "backup")
	w.open(36, "step", "Prepare/server/Provision a replacement", "Provision a replacement")
	w.mutate(36, 38, "Prepare/server/Provision a replacement/1", "hetzner.create_server", "mutates", "create hobby-1-r like hobby-1", 118, nil)
	w.open(36.1, "step", "Prepare/backup/Find the newest backup", "Find the newest backup")
	w.read(37, "Prepare/backup/Find the newest backup/1", "backup.newest", 0.9, 30, nil)
	w.end(37, "step", "Prepare/backup/Find the newest backup", "Find the newest backup", "value", nil)
	w.end(37, "branch", "Prepare/backup", "backup", "value", nil)
	w.end(38, "step", "Prepare/server/Provision a replacement", "Provision a replacement", "value", nil)
	w.end(38, "branch", "Prepare/server", "server", "value", nil)
	w.end(38, "parallel", "Prepare", "Prepare", "value", nil)
	w.open(38, "step", "Move the addresses", "Move the addresses")
	w.add(38.1, journal.CallIntent, journal.Intent{Key: "Move the addresses/1", Call: "hetzner.assign_floating_ip", Effect: "mutates", Says: "assign hobby-ip to hobby-1-r"})
	w.epoch = 2
	w.add(98.1, journal.TailRepaired, journal.Repair{Bytes: 17, Text: `{"seq":27,"time":`})
	w.add(98.1, journal.LeaseTaken, journal.Holder{Operator: "carol", Host: "ops-2", PID: 7, Epoch: 2})
	w.add(98.2, journal.SourceChanged, journal.Change{From: "5f1d", To: "77aa", Step: "Move the addresses", By: "carol", Files: []string{"hetzner_failure.lua"},
		Diff: "-  within = \"1m\"\n+  within = \"5m\"\n"})
	w.open(98.3, "step", "Move the addresses", "Move the addresses")
	w.add(98.5, journal.CallOutcome, journal.Outcome{Key: "Move the addresses/1", Call: "hetzner.assign_floating_ip", Effect: "mutates", Took: 0.2, Settled: "probe"})
	w.mutate(98.6, 98.8, "Move the addresses/2", "hetzner.delete_server", "destroys", "delete hobby-1 | for good", 1, nil)
	w.end(99, "step", "Move the addresses", "Move the addresses", "value", nil)
	w.open(99, "step", "Verify integrity", "Verify integrity")
	w.read(99.5, "Verify integrity/1", "pg.counts", 0.2, 0, nil)
	w.add(99.6, journal.Note, journal.NoteText{Text: "newest row of sync_updates", Form: "evidence", Site: journal.Site{Step: "Verify integrity"},
		Evidence: map[string]any{"rpo_until": "2026-02-28T02:40:00Z", "rows": 2000.0}})
	w.add(99.7, journal.Note, journal.NoteText{Text: "customers get a healthy answer", Form: "expect", Site: journal.Site{Step: "Verify integrity"}})
	w.end(99.8, "step", "Verify integrity", "Verify integrity", "value", nil)
	w.open(99.8, "step", "Tell the press", "Tell the press")
	w.add(99.8, journal.StepFinished, journal.Step{Path: "Tell the press", Title: "Tell the press", Form: "step", Result: "skipped", Reason: "nobody asked", By: "carol"})
	w.add(99.9, journal.Note, journal.NoteText{Text: "Ask Hetzner for a root cause <by Monday>", Form: "note"})
	w.add(100, journal.RunFinished, journal.Finished{Result: "done", Message: "Hobby tier serves again from hobby-1-r"})
	w.epoch = 3 // judged afterwards, which is no part of the run's time
	w.add(101, journal.LeaseTaken, journal.Holder{Operator: "alice", Host: "ops-1", PID: 8, Epoch: 3})
	w.open(101, "step", "Judge the drill", "Judge the drill")
	w.read(102, "Judge the drill/1", "http.check", 1, 600, nil)
	w.add(102, journal.Note, journal.NoteText{Key: "Judge the drill/note1", Text: "nothing was created twice", Form: "expect"})
	w.end(103, "step", "Judge the drill", "Judge the drill", "value", nil)
	return w.records
}

// broken is a live run that ends in the middle of a mutation.
func broken(t *testing.T) []journal.Record {
	w := newWriter(t, "run-2")
	w.begin("run", func(s *journal.Started) { s.Env = "production" })
	w.open(1, "step", "Provision", "Provision")
	denied := fault.New(fault.Denied, "the token may not read").WithHint("use a token with read and write rights")
	w.read(2, "Provision/1", "hetzner.images", 1, 0, denied)
	w.add(3, journal.CallIntent, journal.Intent{Key: "Provision/2", Call: "hetzner.create_server", Effect: "mutates", Says: "create hobby-1-r like hobby-1"})
	w.add(4, journal.ApprovalAsked, journal.Approval{Key: "Provision/3", Text: "Go on?"})
	w.add(64, journal.Note, journal.NoteText{Text: "waiting", Form: "print"})
	return w.records
}
