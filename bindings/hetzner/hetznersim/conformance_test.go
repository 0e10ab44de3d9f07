package hetznersim_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/hetznercloud/hcloud-go/v2/hcloud/schema"
)

// inspector holds every answer that passes against two descriptions that were
// not written here: the structures of the vendor's own client, without any
// unknown field, and the published API description when it is at hand.
type inspector struct {
	t    *testing.T
	next http.RoundTripper
}

func (i *inspector) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := i.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	path := strings.TrimPrefix(r.URL.Path, "/v1")
	what := fmt.Sprintf("%s %s -> %d", r.Method, path, resp.StatusCode)
	if err := checkStrictly(r.Method, path, resp.StatusCode, body); err != nil {
		i.t.Errorf("%s: %v\n%s", what, err, body)
	}
	if err := checkDescription(r.Method, path, resp.StatusCode, body); err != nil {
		i.t.Errorf("%s: against the published description: %.300s\n%.600s", what, err, body)
	}
	return resp, nil
}

type actionOnly struct {
	Action schema.Action `json:"action"`
}

type actionsOnly struct {
	Actions []schema.Action `json:"actions"`
}

// forms says what each kind of answer looks like: one resource, a list of it,
// and its creation.
func forms() map[string][3]any {
	return map[string][3]any{
		"servers":             {schema.ServerGetResponse{}, schema.ServerListResponse{}, schema.ServerCreateResponse{}},
		"images":              {schema.ImageGetResponse{}, schema.ImageListResponse{}, nil},
		"ssh_keys":            {schema.SSHKeyGetResponse{}, schema.SSHKeyListResponse{}, schema.SSHKeyCreateResponse{}},
		"floating_ips":        {schema.FloatingIPGetResponse{}, schema.FloatingIPListResponse{}, schema.FloatingIPCreateResponse{}},
		"primary_ips":         {schema.PrimaryIPGetResponse{}, schema.PrimaryIPListResponse{}, schema.PrimaryIPCreateResponse{}},
		"volumes":             {schema.VolumeGetResponse{}, schema.VolumeListResponse{}, schema.VolumeCreateResponse{}},
		"networks":            {schema.NetworkGetResponse{}, schema.NetworkListResponse{}, schema.NetworkCreateResponse{}},
		"firewalls":           {schema.FirewallGetResponse{}, schema.FirewallListResponse{}, schema.FirewallCreateResponse{}},
		"load_balancers":      {schema.LoadBalancerGetResponse{}, schema.LoadBalancerListResponse{}, schema.LoadBalancerCreateResponse{}},
		"placement_groups":    {schema.PlacementGroupGetResponse{}, schema.PlacementGroupListResponse{}, schema.PlacementGroupCreateResponse{}},
		"server_types":        {schema.ServerTypeGetResponse{}, schema.ServerTypeListResponse{}, nil},
		"load_balancer_types": {schema.LoadBalancerTypeGetResponse{}, schema.LoadBalancerTypeListResponse{}, nil},
		"locations":           {schema.LocationGetResponse{}, schema.LocationListResponse{}, nil},
		"datacenters": {schema.DatacenterGetResponse{}, struct {
			schema.DatacenterListResponse
			Recommendation int64 `json:"recommendation"`
		}{}, nil},
		"isos":         {schema.ISOGetResponse{}, schema.ISOListResponse{}, nil},
		"certificates": {schema.CertificateGetResponse{}, schema.CertificateListResponse{}, schema.CertificateCreateResponse{}},
		"pricing":      {nil, schema.PricingGetResponse{}, nil},
		"actions":      {schema.ActionGetResponse{}, schema.ActionListResponse{}, nil},
	}
}

// commandForms are the answers to commands that are more than one action.
func commandForms() map[string]any {
	return map[string]any{
		"request_console": schema.ServerActionRequestConsoleResponse{}, "reset_password": schema.ServerActionResetPasswordResponse{},
		"create_image": schema.ServerActionCreateImageResponse{}, "enable_rescue": schema.ServerActionEnableRescueResponse{},
		"rebuild": schema.ServerActionRebuildResponse{}, "apply_to_resources": actionsOnly{}, "remove_from_resources": actionsOnly{},
		"set_rules": actionsOnly{},
	}
}

// expected is the form of an answer.
func expected(method, path string) (form any, list bool, err error) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	of, known := forms()[parts[0]]
	switch {
	case !known:
		return nil, false, fmt.Errorf("no form is known for %s", path)
	case method == "DELETE":
		return actionOnly{}, false, nil
	case method == "POST" && len(parts) == 4:
		if special, is := commandForms()[parts[3]]; is {
			return special, false, nil
		}
		return actionOnly{}, false, nil
	case method == "POST":
		return of[2], false, nil
	case slices.Contains(parts[1:], "actions"):
		if parts[len(parts)-1] == "actions" {
			return schema.ActionListResponse{}, true, nil
		}
		return schema.ActionGetResponse{}, false, nil
	case len(parts) == 1:
		return of[1], parts[0] != "pricing", nil
	}
	return of[0], false, nil
}

func checkStrictly(method, path string, status int, body []byte) error {
	if status == http.StatusNoContent {
		if len(body) != 0 {
			return fmt.Errorf("has a body")
		}
		return nil
	}
	if status >= 400 {
		var e struct {
			Error struct {
				Code, Message string
				Details       *json.RawMessage
			}
		}
		if err := strictly(body, &e); err != nil {
			return err
		}
		if e.Error.Code == "" || e.Error.Message == "" || !bytes.Contains(body, []byte(`"details":`)) {
			return fmt.Errorf("the error is incomplete")
		}
		return nil
	}
	form, list, err := expected(method, path)
	if err != nil || form == nil {
		return errorOr(err, "no form is known for it")
	}
	if list { // a list and its page
		var page struct {
			Meta *schema.Meta `json:"meta"`
		}
		if err := json.Unmarshal(body, &page); err != nil || page.Meta == nil || page.Meta.Pagination == nil {
			return fmt.Errorf("no pagination: %v", err)
		}
		fields := map[string]json.RawMessage{}
		if err := json.Unmarshal(body, &fields); err != nil {
			return err
		}
		delete(fields, "meta")
		if body, err = json.Marshal(fields); err != nil {
			return err
		}
	}
	return strictly(body, reflect.New(reflect.TypeOf(form)).Interface())
}

func errorOr(err error, otherwise string) error {
	if err == nil {
		return fmt.Errorf("%s", otherwise)
	}
	return err
}

func strictly(body []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

// published loads the API description beside the repository, once. It is nil
// when the file is absent.
var published = sync.OnceValues(func() (*openapi3.T, error) {
	at, err := os.Getwd()
	for err == nil {
		if _, missing := os.Stat(filepath.Join(at, "go.mod")); missing == nil {
			break
		}
		if at == filepath.Dir(at) {
			return nil, nil
		}
		at = filepath.Dir(at)
	}
	file := filepath.Join(at, "..", "shared", "specs", "hetzner_cloud.openapi.json")
	if _, missing := os.Stat(file); missing != nil {
		return nil, nil
	}
	doc, err := openapi3.NewLoader().LoadFromFile(file)
	if err != nil {
		return nil, err
	}
	for _, item := range doc.Paths.Map() {
		item.Servers = nil
	}
	relax(doc)
	return doc, nil
})

// relax takes back what the vendor dropped in July 2026: the datacenter of
// servers and primary IPs.
func relax(doc *openapi3.T) {
	drop := func(s *openapi3.SchemaRef) {
		s.Value.Required = slices.DeleteFunc(s.Value.Required, func(name string) bool { return name == "datacenter" })
	}
	drop(doc.Components.Schemas["server"])
	for name, s := range doc.Components.Schemas {
		if !strings.Contains(name, "primary_ip") || s.Value == nil {
			continue
		}
		for key, property := range s.Value.Properties {
			switch key {
			case "primary_ip":
				drop(property)
			case "primary_ips":
				drop(property.Value.Items)
			}
		}
	}
}

func checkDescription(method, path string, status int, body []byte) error {
	doc, err := published()
	if doc == nil || err != nil {
		return err
	}
	template := regexp.MustCompile(`/\d+`).ReplaceAllString(path, "/{id}")
	template = strings.Replace(template, "/actions/{id}", "/actions/{action_id}", strings.Count(template, "{id}")-1)
	if method == "DELETE" && template == "/load_balancers/{id}" && status == http.StatusCreated {
		return nil // since October 2026 an action; the description is older, the vendor's client knows it
	}
	item := doc.Paths.Find(template)
	if item == nil || item.GetOperation(method) == nil {
		if status == http.StatusNotFound {
			return nil
		}
		return fmt.Errorf("%s is not described", template)
	}
	responses := item.GetOperation(method).Responses.Map()
	answer := responses[fmt.Sprint(status)]
	if answer == nil {
		answer = responses[fmt.Sprintf("%dxx", status/100)]
	}
	if answer == nil {
		return fmt.Errorf("status %d is not described", status)
	}
	content := answer.Value.Content.Get("application/json")
	if content == nil {
		return nil
	}
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return err
	}
	return content.Schema.Value.VisitJSON(value, openapi3.MultiErrors())
}

func TestPublishedDescriptionIsAtHand(t *testing.T) {
	doc, err := published()
	if err != nil {
		t.Fatal(err)
	}
	if doc == nil {
		t.Log("the published API description is not at hand: answers were checked against the vendor's client alone")
		return
	}
	wrong := []byte(`{"servers":[{"id":"one"}],"meta":{}}`)
	if err := checkDescription("GET", "/servers", 200, wrong); err == nil {
		t.Fatal("a wrong answer was not noticed")
	}
	if err := checkStrictly("GET", "/servers/1", 200, []byte(`{"server":{"datacentre":1}}`)); err == nil {
		t.Fatal("an unknown field was not noticed")
	}
}
