package cloudflare

import (
	"context"
	"slices"
	"strings"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// Verdict is one wanted record held against the zone.
type Verdict struct {
	Name   string   `lua:"name" doc:"Whole name, without a final dot."`
	Type   string   `lua:"type" doc:"A, AAAA, CNAME, MX, TXT, SRV, CAA, NS, PTR, ..."`
	Wanted string   `lua:"wanted" doc:"Content that was asked for."`
	Found  []string `lua:"found" doc:"Contents of all records of that name and type."`
	OK     bool     `lua:"ok" doc:"Whether it is there, alone where only one may answer."`
}

type wantedRecord struct {
	Name    string `lua:"name" doc:"Name: whole, without the zone, or @ for the zone itself."`
	Type    string `lua:"type" enum:"A,AAAA,CAA,CERT,CNAME,DNSKEY,DS,HTTPS,LOC,MX,NAPTR,NS,OPENPGPKEY,PTR,SMIMEA,SRV,SSHFP,SVCB,TLSA,TXT,URI" default:"A" doc:"Type of the record."`
	Content string `lua:"content" doc:"Content that it should have."`
}

type verifyRecordsArgs struct {
	Zone    string         `lua:"zone" doc:"Name of the zone."`
	Records []wantedRecord `lua:"records" doc:"The records that should be there."`
}

var verifyRecords = binding.Func[*Client, verifyRecordsArgs, []Verdict]{
	Name: "verify_records", Effect: binding.Reads,
	Doc: "Hold a zone against the records that should be there. An address or CNAME that is not wanted makes the wanted ones of its name wrong, " +
		"because it is answered too; further records of other types do not.",
	Raises:  []fault.Kind{fault.NotFound, fault.Denied, fault.RateLimited, fault.Unavailable, fault.Timeout},
	Example: `cloudflare.verify_records { zone = "webhost.systems", records = { { name = "hobby", type = "A", content = "203.0.113.11" } } }`,
	Target:  "zone",
	Call:    (*Client).verifyRecords,
}

func (c *Client) verifyRecords(ctx context.Context, a verifyRecordsArgs) ([]Verdict, error) {
	z, err := c.known(ctx, a.Zone)
	if err != nil {
		return nil, err
	}
	all, err := c.list(ctx, z, "", "")
	if err != nil {
		return nil, err
	}
	out := make([]Verdict, 0, len(a.Records))
	for _, w := range a.Records {
		v := Verdict{Name: whole(w.Name, z.Name), Type: strings.ToUpper(w.Type), Wanted: w.Content, Found: []string{}}
		for _, r := range all {
			if r.Name == v.Name && r.Type == v.Type {
				v.Found = append(v.Found, r.Content)
				v.OK = v.OK || sameContent(r.Type, r.Content, w.Content)
			}
		}
		if slices.Contains([]string{"A", "AAAA", "CNAME"}, v.Type) {
			v.OK = v.OK && allWanted(v, a.Records, z.Name)
		}
		out = append(out, v)
	}
	return out, nil
}

// allWanted tells whether every record found for a name and type is asked for.
func allWanted(v Verdict, wanted []wantedRecord, zone string) bool {
	return !slices.ContainsFunc(v.Found, func(content string) bool {
		return !slices.ContainsFunc(wanted, func(w wantedRecord) bool {
			return whole(w.Name, zone) == v.Name && strings.EqualFold(w.Type, v.Type) && sameContent(v.Type, w.Content, content)
		})
	})
}
