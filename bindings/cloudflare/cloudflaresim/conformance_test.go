package cloudflaresim_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/webhost-systems/drhost/bindings/cloudflare/cloudflaresim"
)

// published is Cloudflare's description of its API, kept beside the
// repository, or nil where it is absent.
func published(t *testing.T) *openapi3.T {
	t.Helper()
	path, err := filepath.Abs("../../../../shared/specs/cloudflare.openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		t.Log("answers are not held against the published description: it is not beside the repository")
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// TestAnswersConform holds every answer against the published description.
// Where that is absent, the same calls still have to give the same statuses.
func TestAnswersConform(t *testing.T) {
	doc := published(t)
	a, poolIDs, _ := balanced(t, false)
	id := a.add(t, cloudflaresim.Record{Name: "www", Type: "A", Content: "203.0.113.10", TTL: 60, Comment: "drhost key", Tags: []string{"team:ops"}})
	other := a.add(t, cloudflaresim.Record{Name: "shop", Type: "A", Content: "203.0.113.12", Proxied: true})
	a.add(t, cloudflaresim.Record{Name: "alias", Type: "CNAME", Content: "www.webhost.systems"})
	a.add(t, cloudflaresim.Record{Name: "@", Type: "MX", Content: "mail.webhost.systems", Priority: 10})
	a.add(t, cloudflaresim.Record{Name: "@", Type: "TXT", Content: "v=spf1 -all"})
	a.add(t, cloudflaresim.Record{Name: "six", Type: "AAAA", Content: "2001:db8::10"})
	zone, records, record := "/zones/{zone_id}", "/zones/{zone_id}/dns_records", "/zones/{zone_id}/dns_records/{dns_record_id}"
	pools, pool, lbs := "/accounts/{account_id}/load_balancers/pools", "/accounts/{account_id}/load_balancers/pools/{pool_id}", "/zones/{zone_id}/load_balancers"
	for _, c := range []struct {
		method, template, id, body string
		status                     int
	}{
		{http.MethodGet, "/user/tokens/verify", "", "", 200},
		{http.MethodGet, "/zones", "", "", 200},
		{http.MethodGet, zone, "", "", 200},
		{http.MethodGet, records, "", "", 200},
		{http.MethodGet, record, id, "", 200},
		{http.MethodPost, records, "", `{"type":"A","name":"new","content":"203.0.113.20","ttl":120,"comment":"drhost k"}`, 200},
		{http.MethodPatch, record, id, `{"content":"203.0.113.21"}`, 200},
		{http.MethodPut, record, id, `{"type":"A","name":"www","content":"203.0.113.22"}`, 200},
		{http.MethodDelete, record, other, "", 200},
		{http.MethodPost, records, "", `{"type":"A","name":"new","content":"x"}`, 400},
		{http.MethodGet, record, other, "", 404},
		{http.MethodGet, "/user", "", "", 200},
		{http.MethodGet, "/accounts", "", "", 200},
		{http.MethodGet, pools, "", "", 200},
		{http.MethodPost, pools, "", `{"name":"new","origins":[{"name":"x","address":"203.0.113.1"}]}`, 200},
		{http.MethodGet, pool, poolIDs[0], "", 200},
		{http.MethodPut, pool, poolIDs[0], `{"name":"other","origins":[{"name":"x","address":"203.0.113.1"}]}`, 200},
		{http.MethodGet, pool + "/health", poolIDs[0], "", 200},
		{http.MethodGet, "/accounts/{account_id}/load_balancers/monitors", "", "", 200},
		{http.MethodGet, lbs, "", "", 200},
		{http.MethodPost, lbs, "", `{"name":"lb","default_pools":["` + poolIDs[0] + `"],"fallback_pool":"` + poolIDs[0] + `"}`, 200},
	} {
		path := c.template
		for from, to := range map[string]string{"{zone_id}": a.zone.Identifier, "{dns_record_id}": c.id, "{pool_id}": c.id, "{account_id}": accountID} {
			path = strings.ReplaceAll(path, from, to)
		}
		resp, body := a.raw(t, c.method, path, c.body)
		if resp.StatusCode != c.status {
			t.Errorf("%s %s: %d %s", c.method, path, resp.StatusCode, body)
		}
		if doc == nil {
			continue
		}
		if err := conforms(doc, c.template, c.method, c.status, body); err != nil {
			t.Errorf("%s %s: %v\n%s", c.method, c.template, err, body)
		}
	}
}

func conforms(doc *openapi3.T, template, method string, status int, body string) error {
	item := doc.Paths.Value(template)
	if item == nil || item.GetOperation(method) == nil {
		return fmt.Errorf("the description has no such operation")
	}
	var value any
	if err := json.Unmarshal([]byte(body), &value); err != nil {
		return err
	}
	if status >= 400 {
		// What the operations say of refusals asks for success and failure in
		// one, which nothing can be; this part of it is meant.
		return doc.Components.Schemas["dns-records_api-response-common-failure"].Value.VisitJSON(value, openapi3.VisitAsResponse())
	}
	described := item.GetOperation(method).Responses.Status(status)
	if described == nil {
		return fmt.Errorf("the description has no status %d", status)
	}
	return described.Value.Content.Get("application/json").Schema.Value.VisitJSON(value, openapi3.VisitAsResponse())
}
