package embeddedetcd

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"galaxy/rtmanager/internal/etcdcluster"
)

// Cluster is the part of Config for a member of a cluster.
type Cluster struct {
	// Name is the name of the member, REGION/NODE. FormerName is a name that the member may have
	// had before.
	Name, FormerName string
	// Init states that a new data directory starts a new cluster. It has no effect on the
	// directory of a member that has started one.
	Init bool
	// Join are client URLs of members of the cluster that a new data directory joins. They have no
	// effect on the directory of a member that has joined. URLs without a response are skipped.
	Join []string
	// AdvertiseClientURL and AdvertisePeerURL are the URLs for other machines, if they differ
	// from the listen URLs.
	AdvertiseClientURL, AdvertisePeerURL string
	// TLS are the files for connections to other members: a client certificate, and the
	// authorities of their certificates.
	TLS TLSFiles
	// RoundTrip is the largest round trip between the members to expect, from which a new
	// cluster derives its timing. Default 100 ms. A member that joins measures it.
	RoundTrip time.Duration
	// Report receives the state of a start that waits: for another member, or to be in sync.
	Report func(state string)
	// Logger receives what operators of the cluster need: the loss of the leader and its return,
	// changes of the membership and of the timing. nil discards it.
	Logger *slog.Logger
}

// validate returns the invalid settings of a cluster.
func (c *Cluster) validate() (faults []error) {
	if strings.Trim(c.Name, "/") == "" || strings.ContainsAny(c.Name, ",=") {
		faults = append(faults, &ConfigError{Field: FieldMemberName, Err: fmt.Errorf("%q cannot be the name of a member of a cluster: it must not be empty or contain , or =", c.Name)})
	}
	if c.Init && len(c.Join) > 0 {
		faults = append(faults, &ConfigError{Field: FieldInit, Err: errors.New("a member cannot both start a cluster and join one")})
	}
	if c.RoundTrip < 0 {
		faults = append(faults, fmt.Errorf("round trip %v must not be negative", c.RoundTrip))
	}
	for _, text := range []string{c.AdvertiseClientURL, c.AdvertisePeerURL} {
		if u, err := url.Parse(text); text != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Port() == "" || u.Path != "") {
			faults = append(faults, &ConfigError{Field: FieldAdvertise, Err: fmt.Errorf("%q is not http://HOST:PORT or https://HOST:PORT", text)})
		}
	}
	return faults
}

// advertise sets the URLs for other machines. It returns a *ConfigError if there is none.
func (c *Cluster) advertise(at *addresses) error {
	for _, one := range []struct {
		given      string
		listen     url.URL
		advertised *url.URL
	}{{c.AdvertiseClientURL, at.client, &at.advertisedClient}, {c.AdvertisePeerURL, at.peer, &at.advertisedPeer}} {
		if one.given != "" {
			u, err := url.Parse(one.given)
			if err != nil {
				return err
			}
			*one.advertised = *u
			continue
		}
		addr, err := netip.ParseAddrPort(one.listen.Host)
		if one.listen.Scheme == "unix" || err == nil && addr.Addr().IsUnspecified() {
			return &ConfigError{Field: FieldAdvertise, Err: fmt.Errorf("other members cannot reach %s; name the address of this host", one.listen.String())}
		}
	}
	return nil
}

// timing returns the heartbeat interval and the election timeout to start with.
func (c Config) timing(info clusterInfo) etcdcluster.Timing {
	switch {
	case c.Cluster == nil:
		return etcdcluster.Timing{Heartbeat: c.TickInterval, Election: c.ElectionTimeout}
	case !info.Timing.IsZero():
		return info.Timing
	default:
		return etcdcluster.TimingFor(c.Cluster.RoundTrip)
	}
}

// How a member of a cluster got its data.
const (
	originInit    = "init"
	originJoin    = "join"
	originRestore = "restore"
)

// clusterMember is what cluster.json contains about a member of a cluster.
type clusterMember struct {
	// Origin is empty for a single member, and else an origin constant.
	Origin string `json:"origin,omitempty"`
	// BootstrapID makes the identity of a new cluster unique: etcd derives it from token and
	// peer URL, which a cluster that is started a second time at the same address would share.
	BootstrapID string `json:"bootstrap_id,omitempty"`
	// ClusterID and MemberID are those of etcd. A member that joins has them before it starts.
	ClusterID hexID  `json:"cluster_id,omitempty"`
	MemberID  hexID  `json:"member_id,omitempty"`
	Name      string `json:"member_name,omitempty"`
	// Others are the other members when the list was last read.
	Others []otherMember `json:"other_members,omitempty"`
	// Timing is a copy of the timing of the cluster.
	Timing etcdcluster.Timing `json:"timing,omitzero"`
	// Removed reports that the member was removed from the cluster.
	Removed bool `json:"removed,omitempty"`
}

// otherMember is another member of the cluster.
type otherMember struct {
	Name       string   `json:"name"`
	ClientURLs []string `json:"client_urls"`
	PeerURLs   []string `json:"peer_urls"`
}

// hexID is an id of etcd, in the form in which etcd prints it.
type hexID uint64

// MarshalText implements encoding.TextMarshaler.
func (id hexID) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%x", uint64(id)), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (id *hexID) UnmarshalText(text []byte) error {
	_, err := fmt.Sscanf(string(text), "%x", (*uint64)(id))
	return err
}

// bootstrapToken returns the token from which etcd derives the ids of a new cluster.
func (c clusterInfo) bootstrapToken() string {
	if c.BootstrapID == "" {
		return c.Token
	}
	return c.Token + "-" + c.BootstrapID
}

// label returns the name of the member for messages.
func (c clusterInfo) label() string { return cmp.Or(c.Name, MemberName) }

// othersOf returns the members of a cluster without the one of the id.
func othersOf(members etcdcluster.Members, self uint64) []otherMember {
	var others []otherMember
	for _, m := range members.List {
		if m.ID != self {
			others = append(others, otherMember{Name: m.Name, ClientURLs: m.ClientURLs, PeerURLs: m.PeerURLs})
		}
	}
	return others
}
