package torture

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/bindings/world"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/journal"
)

// look is what an operator finds who looks where the host says: how often the
// thing happened in the world, against how often the journal knows of it. What
// nobody can find out stays unknown.
func (t *trial) look(ctx context.Context, l lost) (found, error) {
	known, err := t.answered(ctx, l.Says)
	if err != nil {
		return found{}, err
	}
	var results []any // of the times it happened, oldest first
	switch l.Call {
	case "ssh.run":
		results, err = t.commandsLike(ctx, l.Says)
	case "notify.send", "notify.test":
		results, err = t.messagesLike(l.Says)
	case "cloudflare.batch", "cloudflare.batch_delete":
		results, err = t.batchLike(ctx, l.Says, known)
	default:
		return found{}, nil
	}
	if err != nil || len(results) <= known {
		return found{Landed: binding.No}, err
	}
	result, err := json.Marshal(results[known])
	return found{Landed: binding.Yes, Result: result}, err
}

// commandsLike are the results of the commands that a call speaks of. One that
// still runs is waited for; one that was cut off counts as not done.
func (t *trial) commandsLike(ctx context.Context, says string) (results []any, err error) {
	err = clock.Poll(ctx, clock.System{}, time.Minute, 10*time.Millisecond, func(context.Context) (bool, error) {
		ran, err := t.ran()
		results = nil
		for _, c := range ran {
			host, ok := strings.CutPrefix(says, "run "+c.Text+" on ")
			if !ok || c.Cut || !t.named(c.Server, host) {
				continue
			}
			if !c.Ended {
				return false, err
			}
			results = append(results, map[string]any{"exit": c.Exit, "stdout": c.Stdout, "stderr": ""})
		}
		return true, err
	})
	return results, err
}

// messagesLike are the deliveries of the messages that a call speaks of.
func (t *trial) messagesLike(says string) (results []any, err error) {
	var inbox []world.Message
	if err := t.into("inbox", &inbox); err != nil {
		return nil, err
	}
	channels, _ := t.stage.Sim.World.Settings["notify"]["channels"].(map[string]any)
	var taken []any
	for _, name := range slices.Sorted(maps.Keys(channels)) {
		taken = append(taken, map[string]any{"name": name, "ok": true})
	}
	for _, m := range inbox {
		var body struct{ Subject string }
		if err := json.Unmarshal(m.Body, &body); err != nil {
			return nil, err
		}
		if strings.HasSuffix("[DRILL] "+strings.TrimPrefix(says, "send the message "), body.Subject) {
			results = append(results, taken)
		}
	}
	return results, nil
}

// batchLike is the one transaction of a zone that no outcome tells of, when the
// provider carried one out: what its log of changes shows. It stands behind the
// known ones that say the same.
func (t *trial) batchLike(ctx context.Context, says string, known int) (results []any, err error) {
	var requests []world.Request
	if err := t.into("requests", &requests); err != nil {
		return nil, err
	}
	records, err := t.records(ctx)
	if err != nil {
		return nil, err
	}
	open := 0
	for _, r := range requests {
		if r.Provider == "cloudflare" && r.Acted && strings.HasSuffix(r.Path, "/dns_records/batch") {
			open++
		}
	}
	for _, r := range records {
		if r.Kind != journal.CallOutcome {
			continue
		}
		out, err := journal.Decode[journal.Outcome](r)
		if err != nil {
			return nil, err
		}
		if value, _ := out.Value.(map[string]any); value["changed"] == true && strings.HasPrefix(out.Call, "cloudflare.") {
			if _, ofBatch := value["altered"]; ofBatch {
				open--
			}
		}
	}
	if open <= 0 {
		return nil, nil
	}
	zone, edits, _ := strings.Cut(says[strings.Index(says, "zone ")+len("zone "):], " in one transaction: ")
	count := func(verb string) int { return strings.Count("; "+edits, "; "+verb+" ") }
	return append(make([]any, known), map[string]any{"zone": zone, "changed": true, "created": count("create"), "altered": count("change"),
		"deleted": count("delete"), "says": strings.Split(edits, "; ")}), nil
}

// answered counts the outcomes of calls that say the same.
func (t *trial) answered(ctx context.Context, says string) (n int, err error) {
	records, err := t.records(ctx)
	if err != nil {
		return 0, err
	}
	told := map[string]string{}
	for _, r := range records {
		switch r.Kind {
		case journal.CallIntent:
			in, err := journal.Decode[journal.Intent](r)
			if err != nil {
				return 0, err
			}
			told[in.Key] = in.Says
		case journal.CallOutcome:
			out, err := journal.Decode[journal.Outcome](r)
			if err != nil {
				return 0, err
			}
			if told[out.Key] == says {
				n++
			}
		}
	}
	return n, nil
}
