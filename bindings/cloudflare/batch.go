package cloudflare

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// Batch is what a transaction did.
type Batch struct {
	Zone    string   `lua:"zone" doc:"Name of the zone."`
	Changed bool     `lua:"changed" doc:"false when all was right already and nothing was sent."`
	Created int      `lua:"created" doc:"Number of records that were created."`
	Altered int      `lua:"altered" doc:"Number of records that were changed."`
	Deleted int      `lua:"deleted" doc:"Number of records that were deleted."`
	Says    []string `lua:"says" doc:"Each change as a sentence."`
}

type batchArgs struct {
	Zone  string `lua:"zone" doc:"Name of the zone."`
	Edits []Edit `lua:"edits" doc:"The changes, as diff_zone gives them or as a list of your own. None of them is made unless all can be."`
}

var batch = binding.Func[*Client, batchArgs, Batch]{
	Name: "batch", Effect: binding.Mutates,
	Doc: "Create and change several records in one transaction: all of it or none. What is right already is passed over; a record that is not as an edit " +
		"expects it is a conflict, and nothing is sent. Deletions are refused: batch_delete takes them.",
	Says:    "change records of zone {zone} in one transaction: {edits}",
	Raises:  batchFaults(),
	Example: `cloudflare.batch { zone = "webhost.systems", edits = { { action = "change", name = "hobby", before = "203.0.113.10", content = "203.0.113.11" } } }`,
	Target:  "zone",
	Call:    (*Client).batch,
	Predict: (*Client).predictBatch,
	Settled: afterGrace((*Client).batchSettled),
}

var batchDelete = binding.Func[*Client, batchArgs, Batch]{
	Name: "batch_delete", Effect: binding.Destroys,
	Doc:     "As batch, and deletes what edits with action = \"delete\" name, in the same transaction: the way from an alias to an address and back.",
	Says:    "change and delete records of zone {zone} in one transaction: {edits}",
	Raises:  batchFaults(),
	Example: `cloudflare.batch_delete { zone = "webhost.systems", edits = { { action = "delete", name = "old", content = "203.0.113.66" } } }`,
	Target:  "zone",
	Call:    (*Client).batchAll,
	Predict: (*Client).predictBatchAll,
	Settled: afterGrace((*Client).batchSettled),
}

func batchFaults() []fault.Kind {
	return []fault.Kind{fault.NotFound, fault.Conflict, fault.Invalid, fault.Denied, fault.RateLimited, fault.Unavailable, fault.Timeout}
}

// transaction is the body of /dns_records/batch.
type transaction struct {
	Deletes []map[string]any `json:"deletes,omitempty"`
	Patches []map[string]any `json:"patches,omitempty"`
	Posts   []map[string]any `json:"posts,omitempty"`
	says    []string
}

func (t transaction) empty() bool { return len(t.Deletes)+len(t.Patches)+len(t.Posts) == 0 }

func (t transaction) result(z Zone) Batch {
	says := t.says
	if says == nil {
		says = []string{}
	}
	return Batch{Zone: z.Name, Changed: !t.empty(), Created: len(t.Posts), Altered: len(t.Patches), Deleted: len(t.Deletes), Says: says}
}

// compose turns edits into what has to be sent for them, given what is there.
func compose(ctx context.Context, z Zone, there []Record, list []Edit, deletes bool) (transaction, error) {
	var t transaction
	for _, e := range list {
		e.Name, e.Type = whole(e.Name, z.Name), strings.ToUpper(e.Type)
		if e.Action == "delete" && !deletes {
			return t, fault.New(fault.Invalid, "%s: this call deletes nothing", e.sentence()).WithOp("batch of %s", z.Name).
				WithHint("cloudflare.batch_delete and restore_zone_exactly delete, after an approval")
		}
		if err := t.add(ctx, there, e); err != nil {
			return t, fault.As(err).WithOp("batch of %s", z.Name)
		}
	}
	return t, nil
}

func (t *transaction) add(ctx context.Context, there []Record, e Edit) error {
	with := func(content string) int {
		return slices.IndexFunc(there, func(r Record) bool {
			return r.Name == e.Name && r.Type == e.Type && sameContent(r.Type, r.Content, content)
		})
	}
	want := entry{TTL: e.TTL, Proxied: e.Proxied, Priority: e.Priority, Comment: e.Comment, Tags: e.Tags}
	at := with(e.Content)
	switch {
	case e.Action == "delete" && at < 0:
		return nil // gone already
	case e.Action == "delete":
		t.Deletes = append(t.Deletes, map[string]any{"id": there[at].ID})
	case at >= 0 && want.met(there[at]):
		return nil // right already
	case e.Action == "create" && at >= 0:
		return fault.New(fault.Conflict, "%s: there is such a record, with another TTL or other properties", e.sentence()).
			WithHint("action = \"change\" alters it")
	case e.Action == "create":
		body, err := e.body(ctx, true)
		if err != nil {
			return err
		}
		t.Posts = append(t.Posts, body)
	default:
		before := e.Before
		if before == "" {
			before = e.Content
		}
		if at = with(before); at < 0 {
			return fault.New(fault.Conflict, "%s: no record of that name and type has the content %s", e.sentence(), before).
				WithHint("somebody has changed it: look before you go on")
		}
		body, err := e.body(ctx, false)
		if err != nil {
			return err
		}
		body["id"] = there[at].ID
		t.Patches = append(t.Patches, body)
	}
	t.says = append(t.says, e.sentence())
	return nil
}

// body is the record on the wire. What is not said is not sent, so that a
// change keeps the rest, tags included.
func (e Edit) body(ctx context.Context, fresh bool) (map[string]any, error) {
	out := map[string]any{"type": e.Type, "name": e.Name}
	data, err := structured(e.Type, e.Content, e.Priority)
	switch {
	case err != nil:
		return nil, err
	case data != nil:
		out["data"] = data
	default:
		out["content"] = e.Content
	}
	if e.Priority != nil {
		if _, err := priorityOf(*e.Priority); err != nil {
			return nil, err
		}
		out["priority"] = *e.Priority
	}
	if e.TTL != nil {
		out["ttl"] = *e.TTL
	} else if fresh {
		out["ttl"] = 1
	}
	if e.Proxied != nil && (answersAlone(e.Type) || *e.Proxied) {
		out["proxied"] = *e.Proxied
	}
	if fresh {
		out["comment"] = signed(ctx, unsigned(e.Comment))
	} else if e.Comment != "" {
		out["comment"] = e.Comment
	}
	if len(e.Tags) > 0 {
		out["tags"] = e.Tags
	}
	return out, nil
}

func (c *Client) batch(ctx context.Context, a batchArgs) (Batch, error) {
	return c.transact(ctx, a, false)
}

func (c *Client) batchAll(ctx context.Context, a batchArgs) (Batch, error) {
	return c.transact(ctx, a, true)
}

func (c *Client) transact(ctx context.Context, a batchArgs, deletes bool) (Batch, error) {
	z, there, err := c.present(ctx, a.Zone, "", "")
	if err != nil {
		return Batch{}, before(err)
	}
	return c.commit(ctx, z, there, a.Edits, deletes)
}

// commit sends the one request.
func (c *Client) commit(ctx context.Context, z Zone, there []Record, list []Edit, deletes bool) (Batch, error) {
	t, err := compose(ctx, z, there, list, deletes)
	if err != nil || t.empty() {
		return t.result(z), err
	}
	if _, err := c.api.Raw(ctx, http.MethodPost, "/zones/"+z.ID+"/dns_records/batch", t, nil); err != nil {
		return Batch{}, c.translate("batch of "+z.Name, err)
	}
	return t.result(z), nil
}

func (c *Client) predictBatch(ctx context.Context, a batchArgs) (Batch, error) {
	return c.foretellBatch(ctx, a, false)
}

func (c *Client) predictBatchAll(ctx context.Context, a batchArgs) (Batch, error) {
	return c.foretellBatch(ctx, a, true)
}

func (c *Client) foretellBatch(ctx context.Context, a batchArgs, deletes bool) (Batch, error) {
	unknown := binding.IsPlanned(a.Zone)
	says := []string{}
	for _, e := range a.Edits {
		unknown = unknown || binding.IsPlanned(e.Name) || binding.IsPlanned(e.Content) || binding.IsPlanned(e.Before) || binding.IsPlanned(e.Action)
		says = append(says, e.sentence())
	}
	if unknown {
		return Batch{Zone: a.Zone, Changed: true, Created: binding.PlannedInteger, Altered: binding.PlannedInteger, Deleted: binding.PlannedInteger, Says: says}, nil
	}
	z, there, err := c.present(ctx, a.Zone, "", "")
	if err != nil {
		return Batch{}, err
	}
	t, err := compose(ctx, z, there, a.Edits, deletes)
	return t.result(z), err
}

// batchSettled says yes when nothing is left to do, no when all that is left
// could be sent as it is (it is one transaction, so that none of it landed),
// and asks a person when somebody has changed a record meanwhile.
func (c *Client) batchSettled(ctx context.Context, a batchArgs) (binding.Settlement[Batch], error) {
	z, there, err := c.present(ctx, a.Zone, "", "")
	if err != nil {
		return binding.Settlement[Batch]{}, err
	}
	t, err := compose(ctx, z, there, a.Edits, true)
	switch {
	case err != nil:
		return binding.Settlement[Batch]{Look: unreadable(err) + ": dash.cloudflare.com, DNS, Records of " + z.Name}, nil
	case t.empty():
		done := Batch{Zone: z.Name, Changed: true, Says: []string{}}
		for _, e := range a.Edits {
			done.Says = append(done.Says, e.sentence())
			switch e.Action {
			case "create":
				done.Created++
			case "change":
				done.Altered++
			default:
				done.Deleted++
			}
		}
		return binding.Settlement[Batch]{Landed: binding.Yes, Result: done}, nil
	}
	return binding.Settlement[Batch]{Landed: binding.No}, nil
}

// unreadable is what a fault says.
func unreadable(err error) string {
	var f *fault.Fault
	if errors.As(err, &f) {
		return f.Message
	}
	return err.Error()
}
