package cloudflare

import (
	"context"
	"time"

	cf "github.com/cloudflare/cloudflare-go"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// Export is a zone at one moment, in two forms.
type Export struct {
	Zone    string    `lua:"zone" doc:"Name of the zone."`
	At      time.Time `lua:"at" doc:"When it was taken."`
	Records []Record  `lua:"records" doc:"Every record, with what the BIND form does not say: comments, tags, proxying."`
	Bind    string    `lua:"bind" doc:"The zone as a BIND file, as Cloudflare writes it; any DNS provider can import it."`
}

type exportZoneArgs struct {
	Zone string `lua:"zone" doc:"Name of the zone."`
}

var exportZone = binding.Func[*Client, exportZoneArgs, Export]{
	Name: "export_zone", Effect: binding.Reads,
	Doc: "Take a zone down before it is touched, as records and as a BIND file. Both are in the run's journal from then on; " +
		"return the export from a step and restore_zone can bring it back.",
	Raises:  []fault.Kind{fault.NotFound, fault.Denied, fault.RateLimited, fault.Unavailable, fault.Timeout},
	Example: `cloudflare.export_zone { zone = "webhost.systems" }`,
	Target:  "zone",
	Call:    (*Client).exportZone,
}

func (c *Client) exportZone(ctx context.Context, a exportZoneArgs) (Export, error) {
	z, there, err := c.present(ctx, a.Zone, "", "")
	if err != nil {
		return Export{}, err
	}
	text, err := c.api.ExportDNSRecords(ctx, cf.ZoneIdentifier(z.ID), cf.ExportDNSRecordsParams{})
	if err != nil {
		return Export{}, c.translate("export zone "+z.Name, err)
	}
	return Export{Zone: z.Name, At: c.clock.Now().UTC(), Records: there, Bind: text}, nil
}

type restoreZoneArgs struct {
	Zone    string  `lua:"zone" doc:"Name of the zone."`
	Records []entry `lua:"records" doc:"The records as they shall be again: the records of an export."`
}

var restoreZone = binding.Func[*Client, restoreZoneArgs, Batch]{
	Name: "restore_zone", Effect: binding.Mutates,
	Doc: "Bring the records of an export back: makes the difference and nothing else, in one transaction, and deletes nothing. " +
		"diff_zone { records = ..., complete = true } shows it beforehand.",
	Says:    "restore the records of zone {zone}, deleting none",
	Raises:  batchFaults(),
	Example: `cloudflare.restore_zone { zone = "webhost.systems", records = { { name = "hobby", content = "203.0.113.10", ttl = 60 } } }`,
	Target:  "zone",
	Call:    (*Client).restoreZone,
	Predict: (*Client).predictRestore,
	Settled: afterGrace((*Client).restoreSettled),
}

var restoreExactly = binding.Func[*Client, restoreZoneArgs, Batch]{
	Name: "restore_zone_exactly", Effect: binding.Destroys,
	Doc:     "As restore_zone, and deletes every record that the export does not have.",
	Says:    "restore zone {zone} exactly, deleting every record that the export does not have",
	Raises:  batchFaults(),
	Example: `cloudflare.restore_zone_exactly { zone = "webhost.systems", records = { { name = "hobby", content = "203.0.113.10", ttl = 60 } } }`,
	Target:  "zone",
	Call:    (*Client).restoreExactly,
	Predict: (*Client).predictExactly,
	Settled: afterGrace((*Client).exactlySettled),
}

// missing are the edits that bring the records back; deletions only when
// exactly.
func missing(z Zone, there []Record, a restoreZoneArgs, exactly bool) []Edit {
	out := []Edit{}
	for _, e := range edits(z, there, a.Records, true) {
		if exactly || e.Action != "delete" {
			out = append(out, e)
		}
	}
	return out
}

func (c *Client) restoreZone(ctx context.Context, a restoreZoneArgs) (Batch, error) {
	return c.restore(ctx, a, false)
}

func (c *Client) restoreExactly(ctx context.Context, a restoreZoneArgs) (Batch, error) {
	return c.restore(ctx, a, true)
}

func (c *Client) restore(ctx context.Context, a restoreZoneArgs, exactly bool) (Batch, error) {
	if len(a.Records) == 0 {
		return Batch{}, fault.New(fault.Invalid, "an export without records is no export").WithOp("restore zone %s", plain(a.Zone))
	}
	z, there, err := c.present(ctx, a.Zone, "", "")
	if err != nil {
		return Batch{}, before(err)
	}
	return c.commit(ctx, z, there, missing(z, there, a, exactly), exactly)
}

func (c *Client) predictRestore(ctx context.Context, a restoreZoneArgs) (Batch, error) {
	return c.foretellRestore(ctx, a, false)
}

func (c *Client) predictExactly(ctx context.Context, a restoreZoneArgs) (Batch, error) {
	return c.foretellRestore(ctx, a, true)
}

func (c *Client) foretellRestore(ctx context.Context, a restoreZoneArgs, exactly bool) (Batch, error) {
	if binding.IsPlanned(a.Zone) {
		return Batch{Zone: a.Zone, Changed: true, Says: []string{}}, nil
	}
	z, there, err := c.present(ctx, a.Zone, "", "")
	if err != nil {
		return Batch{}, err
	}
	t, err := compose(ctx, z, there, missing(z, there, a, exactly), exactly)
	return t.result(z), err
}

func (c *Client) restoreSettled(ctx context.Context, a restoreZoneArgs) (binding.Settlement[Batch], error) {
	return c.settleRestore(ctx, a, false)
}

func (c *Client) exactlySettled(ctx context.Context, a restoreZoneArgs) (binding.Settlement[Batch], error) {
	return c.settleRestore(ctx, a, true)
}

// settleRestore says yes when no difference is left. Sending it again is
// harmless, because the difference is found anew.
func (c *Client) settleRestore(ctx context.Context, a restoreZoneArgs, exactly bool) (binding.Settlement[Batch], error) {
	z, there, err := c.present(ctx, a.Zone, "", "")
	if err != nil {
		return binding.Settlement[Batch]{}, err
	}
	if len(missing(z, there, a, exactly)) > 0 {
		return binding.Settlement[Batch]{Landed: binding.No}, nil
	}
	return binding.Settlement[Batch]{Landed: binding.Yes, Result: Batch{Zone: z.Name, Changed: true, Says: []string{}}}, nil
}
