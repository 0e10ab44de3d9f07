package flysim

import (
	"crypto/ecdh"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// queries is the root of what can be asked; the caller holds the lock.
func (s *Sim) queries() obj {
	return obj{typeKey: "Queries",
		"app": field(func(args obj) (any, error) {
			a := s.apps[fmt.Sprint(args["name"])]
			if a == nil {
				return nil, errors.New("Could not find App")
			}
			return s.appNode(a), nil
		}),
		"apps": field(func(args obj) (any, error) {
			list := []obj{}
			for _, a := range s.inOrder() {
				if role, given := args["role"].(string); !given || role == "" || role == a.role() {
					list = append(list, s.appNode(a))
				}
			}
			return nodes(list), nil
		}),
		"organizations": field(func(obj) (any, error) { return nodes([]obj{s.orgNode()}), nil }),
		"organization":  field(func(args obj) (any, error) { return s.orgNode(), nil }),
		"viewer": obj{typeKey: "User", "id": "u1", "email": owner, "name": owner, "enablePaidHobby": true,
			"organizations": nodes([]obj{s.orgNode()}), "personalOrganization": s.orgNode()},
		"nearestRegion": field(func(obj) (any, error) { return s.regionNodes()[0], nil }),
		"platform":      obj{typeKey: "PlatformInformation", "requestRegion": home, "regions": s.regionNodes(), "vmSizes": []obj{}},
		"latestImageDetails": field(func(args obj) (any, error) {
			image := fmt.Sprint(args["image"])
			if !strings.HasPrefix(word(imageRef(image), "repository"), "flyio/") { // of other images Fly knows no newer ones
				return nil, errors.New("Unknown repository")
			}
			return imageNode(image), nil
		}),
		"latestImageTag": field(func(args obj) (any, error) { return fmt.Sprint(args["repository"], ":16.2"), nil }),
		"volume": field(func(args obj) (any, error) {
			for _, a := range s.apps {
				if v := a.volumes[fmt.Sprint(args["id"])]; v != nil {
					return obj{typeKey: "Volume", "id": v.id, "name": v.name, "region": v.region, "sizeGb": v.size, "state": v.state, "app": s.appNode(a)}, nil
				}
			}
			return nil, errors.New("Could not find Volume")
		}),
		"appNameAvailable": field(func(args obj) (any, error) { return s.apps[fmt.Sprint(args["name"])] == nil, nil }),
	}
}

// mutations is the root of what can be changed; the caller holds the lock.
func (s *Sim) mutations() obj {
	return obj{typeKey: "Mutations",
		"addWireGuardPeer": field(func(args obj) (any, error) {
			// Nobody answers there; flyctl wants a peer and no handshake.
			key, err := ecdh.X25519().GenerateKey(rand.Reader)
			if err != nil {
				return nil, err
			}
			s.sequence++
			return obj{typeKey: "AddWireGuardPeerPayload", "peerip": fmt.Sprintf("fdaa:0:18:a7b:d6b:0:a:%x", s.sequence), "endpointip": "127.0.0.1",
				"pubkey": base64.StdEncoding.EncodeToString(key.PublicKey().Bytes())}, nil
		}),
		"allocateIpAddress": field(func(args obj) (any, error) {
			a := s.apps[word(part(args, "input"), "appId")]
			if a == nil {
				return nil, errors.New("Could not find App")
			}
			address := obj{} // a shared address is the app's already
			switch kind := word(part(args, "input"), "type"); kind {
			case "shared_v4":
			case "private_v6":
				address = privateNode(a)
			default:
				return nil, fmt.Errorf("this organization cannot be given an address of type %s", kind)
			}
			return obj{typeKey: "AllocateIPAddressPayload", "ipAddress": address, "app": s.appNode(a)}, nil
		}),
		// Nothing here is entered by SSH, and nobody asks for the cluster's
		// state elsewhere: both are only handed out.
		"issueCertificate": field(func(obj) (any, error) {
			return obj{typeKey: "IssueCertificatePayload", "certificate": "none", "key": "", "errors": []string{}}, nil
		}),
		"enablePostgresConsul":   obj{typeKey: "EnablePostgresConsulPayload", "consulUrl": "https://consul.invalid"},
		"removeWireGuardPeer":    field(func(obj) (any, error) { return obj{"organization": s.orgNode()}, nil }),
		"validateWireGuardPeers": obj{typeKey: "ValidateWireGuardPeersPayload", "invalidPeerIps": []string{}},
		"createRelease": field(func(args obj) (any, error) {
			in := part(args, "input")
			a := s.apps[or(word(in, "appId"), word(in, "appName"))]
			if a == nil {
				return nil, errors.New("Could not find App")
			}
			r := s.addRelease(a, word(in, "image"), "pending", word(in, "strategy"), nil)
			return obj{typeKey: "CreateReleasePayload", "release": s.releaseNode(r)}, nil
		}),
		"updateRelease": field(func(args obj) (any, error) {
			in := part(args, "input")
			for _, a := range s.apps {
				for _, r := range a.releases {
					if r.id == word(in, "releaseId") {
						r.status = or(word(in, "status"), r.status)
						return obj{typeKey: "UpdateReleasePayload", "release": s.releaseNode(r)}, nil
					}
				}
			}
			return nil, errors.New("Could not find Release")
		}),
	}
}

func (s *Sim) orgNode() obj {
	peer := field(func(obj) (any, error) { return nil, nil })
	return obj{typeKey: "Organization", "id": "jlyv9r5d56v18u", "internalNumericId": fmt.Sprint(orgNumber), "slug": s.org, "rawSlug": s.org, "name": s.org,
		"type": "SHARED", "paidPlan": true, "billable": true, "viewerRole": "admin", "billingStatus": "CURRENT", "remoteBuilderImage": "",
		"remoteBuilderApp": nil, "addOns": nodes([]obj{}), "addOnSsoLink": nil, "provisionsBetaExtensions": false, "members": obj{typeKey: "OrganizationMembershipsConnection", "edges": []obj{{typeKey: "OrganizationMembershipsEdge", "cursor": "MQ",
			"joinedAt": "2026-01-01T00:00:00Z", "role": "ADMIN", "node": obj{typeKey: "User", "id": "u1", "email": owner, "name": owner}}}}, "wireGuardPeer": peer, "wireGuardPeers": nodes([]obj{}), "limitedAccessTokens": nodes([]obj{})}
}

func (s *Sim) regionNodes() []obj {
	list := []obj{}
	for _, p := range places() {
		list = append(list, obj{typeKey: "Region", "code": p.code, "name": p.name, "latitude": p.latitude, "longitude": p.longitude,
			"gatewayAvailable": p.gateway, "requiresPaidPlan": false, "deprecated": false})
	}
	return list
}

func imageNode(image string) obj {
	ref := imageRef(image)
	version := word(part(ref, "labels"), "fly.version")
	return obj{typeKey: "ImageVersion", "registry": ref["registry"], "repository": ref["repository"], "tag": ref["tag"], "digest": ref["digest"], "version": version}
}

func (s *Sim) releaseNode(r *release) obj {
	return obj{typeKey: "Release", "id": r.id, "version": r.version, "description": r.reason, "reason": r.reason, "status": r.status, "imageRef": r.image,
		"stable": r.status == "complete", "inProgress": r.status == "running", "evaluationId": r.id, "deploymentStrategy": r.strategy,
		"configDefinition": r.config, "createdAt": stamp(r.created), "user": obj{typeKey: "User", "id": "u1", "email": owner, "name": owner}}
}

func addressNode(a *app) obj {
	return obj{typeKey: "IPAddress", "id": "ip_" + a.id, "address": a.shared, "type": "shared_v4", "region": "global", "createdAt": stamp(a.created),
		"network": nil, "serviceName": ""}
}

// privateNode is the app's address on the private network, behind flycast.
func privateNode(a *app) obj {
	node := addressNode(a)
	node["address"], node["type"] = "fdaa:0:18:0:1::"+a.shared[strings.LastIndex(a.shared, ".")+1:], "private_v6"
	return node
}

func (s *Sim) appNode(a *app) obj {
	var current any
	image := ""
	if r := a.newest(); r != nil {
		current, image = s.releaseNode(r), r.image
	}
	var role any
	if a.postgres {
		role = obj{typeKey: "PostgresClusterAppRole", "name": a.role()}
	}
	releases := field(func(args obj) (any, error) {
		list := []obj{}
		for i := len(a.releases) - 1; i >= 0 && len(list) < count(args, "first", 25); i-- {
			list = append(list, s.releaseNode(a.releases[i]))
		}
		return nodes(list), nil
	})
	return obj{typeKey: "App", "id": a.id, "internalNumericId": a.number, "name": a.name, "hostname": a.name + ".fly.dev", "appUrl": "https://" + a.name + ".fly.dev",
		"deployed": len(a.machines) > 0, "status": a.status(), "version": len(a.releases), "platformVersion": "machines", "network": "default", "networkId": 1,
		"organization": s.orgNode(), "role": role, "currentRelease": current, "currentReleaseUnprocessed": current, "releases": releases,
		"releasesUnprocessed": releases, "config": obj{typeKey: "AppConfig", "definition": a.config}, "services": []obj{}, "ipAddresses": nodes([]obj{}), "addOns": nodes([]obj{}),
		"sharedIpAddress": a.shared, "cnameTarget": a.id + "." + a.name + ".fly.dev", "imageDetails": imageNode(image), "currentLock": nil, "egressIpAddresses": nodes([]obj{}),
		"machines": field(func(obj) (any, error) { return nodes(s.machineNodes(a)), nil }), "regions": []obj{}, "backupRegions": []obj{}, "autoscaling": nil,
		"secrets": field(func(obj) (any, error) { return s.secretNodes(a), nil }), "limitedAccessTokens": nodes([]obj{}),
		"image": field(func(args obj) (any, error) {
			ref := fmt.Sprint(args["ref"])
			return obj{typeKey: "Image", "id": "img_" + strings.TrimPrefix(digestOf(ref), "sha256:")[:16], "digest": digestOf(ref), "ref": ref,
				"compressedSizeFull": "104857600", "compressedSize": 104857600, "manifest": obj{}}, nil
		})}
}

func (s *Sim) machineNodes(a *app) []obj {
	list := []obj{}
	for _, m := range a.inOrder() {
		if m.state == destroyed {
			continue
		}
		list = append(list, obj{typeKey: "Machine", "id": m.id, "name": m.name, "state": m.state, "region": m.region, "instanceId": m.instance,
			"config": m.config, "createdAt": stamp(m.created), "updatedAt": stamp(m.updated), "app": obj{typeKey: "App", "name": a.name}, "host": obj{typeKey: "Host", "id": "h1"},
			"ips": nodes([]obj{{typeKey: "MachineIP", "family": "v6", "kind": "privatenet", "ip": m.privateIP, "maskSize": 112}})})
	}
	return list
}

func (s *Sim) secretNodes(a *app) []obj {
	list := []obj{}
	for _, v := range s.secretViews(a) {
		list = append(list, obj{typeKey: "Secret", "name": v["name"], "digest": v["digest"], "createdAt": v["created_at"]})
	}
	return list
}
