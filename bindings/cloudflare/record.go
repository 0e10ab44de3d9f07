package cloudflare

import (
	"context"
	"fmt"
	"slices"
	"strings"

	cf "github.com/cloudflare/cloudflare-go"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// Record is a DNS record.
type Record struct {
	ID       string   `lua:"id" doc:"Identifier within the zone."`
	Zone     string   `lua:"zone" doc:"Name of the zone."`
	Name     string   `lua:"name" doc:"Whole name, without a final dot."`
	Type     string   `lua:"type" doc:"A, AAAA, CNAME, MX, TXT, SRV, CAA, NS, PTR, ..."`
	Content  string   `lua:"content" doc:"Address, name or text that it answers with."`
	TTL      int      `lua:"ttl" doc:"Seconds that it may be remembered; 1 means automatic, which is 300."`
	Proxied  bool     `lua:"proxied" doc:"Whether Cloudflare answers with addresses of its own and passes requests on."`
	Priority int      `lua:"priority,optional" doc:"Of MX and SRV records."`
	Comment  string   `lua:"comment,optional" doc:"Note kept with the record."`
	Tags     []string `lua:"tags,optional" doc:"Tags kept with the record, such as team:ops."`
}

// Change is a record after a call that was to change it.
type Change struct {
	ID      string   `lua:"id" doc:"Identifier within the zone."`
	Zone    string   `lua:"zone" doc:"Name of the zone."`
	Name    string   `lua:"name" doc:"Whole name, without a final dot."`
	Type    string   `lua:"type" doc:"A, AAAA, CNAME, MX, TXT, SRV, CAA, NS, PTR, ..."`
	Content string   `lua:"content" doc:"Address, name or text that it answers with now."`
	TTL     int      `lua:"ttl" doc:"Seconds that it may be remembered; 1 means automatic, which is 300."`
	Proxied bool     `lua:"proxied" doc:"Whether Cloudflare answers with addresses of its own and passes requests on."`
	Comment string   `lua:"comment,optional" doc:"Note kept with the record."`
	Changed bool     `lua:"changed" doc:"false when it was right already and nothing was sent."`
	Before  string   `lua:"before,optional" doc:"Content that it had before; absent when it is new or kept its content."`
	Others  []string `lua:"others" doc:"Contents of further records of that name and type, which answer too."`
}

func changeOf(r Record, changed bool, was string) Change {
	if was == r.Content {
		was = ""
	}
	return Change{ID: r.ID, Zone: r.Zone, Name: r.Name, Type: r.Type, Content: r.Content, TTL: r.TTL, Proxied: r.Proxied,
		Comment: r.Comment, Changed: changed, Before: was, Others: []string{}}
}

type recordsArgs struct {
	Zone string `lua:"zone" doc:"Name of the zone."`
	Name string `lua:"name,optional" doc:"Only records of this name: whole, without the zone, or @ for the zone itself."`
	Type string `lua:"type,optional" enum:"A,AAAA,CAA,CERT,CNAME,DNSKEY,DS,HTTPS,LOC,MX,NAPTR,NS,OPENPGPKEY,PTR,SMIMEA,SRV,SSHFP,SVCB,TLSA,TXT,URI" doc:"Only records of this type."`
}

var records = binding.Func[*Client, recordsArgs, []Record]{
	Name: "records", Effect: binding.Reads,
	Doc:     "List the DNS records of a zone.",
	Raises:  []fault.Kind{fault.NotFound, fault.Denied, fault.RateLimited, fault.Unavailable, fault.Timeout},
	Example: `cloudflare.records { zone = "webhost.systems", name = "hobby", type = "A" }`,
	Target:  "zone",
	Call:    (*Client).records,
}

func (c *Client) records(ctx context.Context, a recordsArgs) ([]Record, error) {
	z, err := c.known(ctx, a.Zone)
	if err != nil {
		return nil, err
	}
	return c.list(ctx, z, a.Name, a.Type)
}

// list returns the records of a zone, of one name and type where given.
func (c *Client) list(ctx context.Context, z Zone, name, recordType string) ([]Record, error) {
	params := cf.ListDNSRecordsParams{Type: strings.ToUpper(recordType)}
	if name != "" {
		params.Name = whole(name, z.Name)
	}
	found, _, err := c.api.ListDNSRecords(ctx, cf.ZoneIdentifier(z.ID), params)
	if err != nil {
		return nil, c.translate("list the records of "+z.Name, err)
	}
	out := make([]Record, 0, len(found))
	for _, r := range found {
		out = append(out, recordFrom(z, r))
	}
	return out, nil
}

func recordFrom(z Zone, r cf.DNSRecord) Record {
	out := Record{ID: r.ID, Zone: z.Name, Name: plain(r.Name), Type: r.Type, Content: r.Content, TTL: r.TTL,
		Proxied: r.Proxied != nil && *r.Proxied, Comment: r.Comment, Tags: r.Tags}
	if r.Priority != nil {
		out.Priority = int(*r.Priority)
	}
	return out
}

// whole makes a name complete: "www", "@" and the whole name are all taken.
func whole(name, zone string) string {
	name, zone = plain(name), plain(zone)
	switch {
	case name == "@" || name == "" || name == zone:
		return zone
	case strings.HasSuffix(name, "."+zone):
		return name
	}
	return name + "." + zone
}

// sameContent compares as Cloudflare stores: names in lower case without a
// final dot, everything else as it is, text without its quotes.
func sameContent(recordType, a, b string) bool {
	switch strings.ToUpper(recordType) {
	case "CNAME", "MX", "NS", "PTR", "AAAA":
		return plain(a) == plain(b)
	case "SRV":
		return bare(a) == bare(b)
	case "CAA":
		return strings.ReplaceAll(a, `"`, "") == strings.ReplaceAll(b, `"`, "")
	case "TXT":
		return strings.Trim(a, `"`) == strings.Trim(b, `"`)
	}
	return a == b
}

// bare is the content of an SRV record without a priority in front.
func bare(content string) string {
	words := strings.Fields(plain(content))
	if len(words) == 4 {
		words = words[1:]
	}
	return strings.Join(words, " ")
}

// withContent finds the record of that content, or -1.
func withContent(list []Record, content string) int {
	return slices.IndexFunc(list, func(r Record) bool { return sameContent(r.Type, r.Content, content) })
}

// contents lists what records answer with, but for the one at index skip.
func contents(list []Record, skip int) []string {
	out := []string{}
	for i, r := range list {
		if i != skip {
			out = append(out, r.Content)
		}
	}
	return out
}

// ambiguous is the fault of a call that means one record and finds several.
func ambiguous(op, name, recordType string, list []Record) error {
	return fault.New(fault.Conflict, "%s has %d records of type %s: %s", name, len(list), recordType, strings.Join(contents(list, -1), ", ")).
		WithOp("%s", op).WithHint("delete those that are wrong, or say by content which one is meant")
}

// keyMark stands before the idempotency key in a comment.
const keyMark = "drhost "

// longestComment is Cloudflare's limit on its free plan; a comment that is
// longer is cut rather than the key.
const longestComment = 100

// signed appends the idempotency key of ctx to a comment.
func signed(ctx context.Context, comment string) string {
	key := binding.Key(ctx)
	if key == "" {
		return comment
	}
	mark := keyMark + key
	if comment == "" {
		return mark
	}
	if room := longestComment - len(mark) - 1; len(comment) > room {
		comment = strings.ToValidUTF8(comment[:max(room, 0)], "")
	}
	return strings.TrimSpace(comment + " " + mark)
}

// carriesKey tells whether a record was created by the mutation of ctx.
func carriesKey(ctx context.Context, r Record) bool {
	key := binding.Key(ctx)
	return key != "" && slices.Contains(strings.Fields(r.Comment), key) && strings.Contains(r.Comment, keyMark+key)
}

// say names a record in an operation or a hint.
func say(verb, recordType, name string) string {
	return fmt.Sprintf("%s %s record %s", verb, strings.ToUpper(recordType), name)
}
