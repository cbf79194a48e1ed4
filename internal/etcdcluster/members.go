package etcdcluster

import (
	"context"
	"crypto/tls"
	"fmt"
	"slices"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/membership"
)

// Options describe how an Inspector reaches the members. The zero value is valid for a cluster
// without TLS.
type Options struct {
	// Endpoints are client URLs by which members are reached, in addition to those that the
	// members advertise.
	Endpoints []string
	// IsOwn means that the client calls a member in this process.
	IsOwn bool
	// OwnCertificateNotAfter returns when the certificate of the own member expires, zero
	// without one. nil means that it has none.
	OwnCertificateNotAfter func() time.Time
	// TLS returns the settings for connections to a client URL of a host, and PeerTLS those for
	// a peer URL; nil without certificates.
	TLS, PeerTLS func(host string) *tls.Config
	// Timeout bounds the requests to one member, and the request for the confirmed list of
	// members. Default 3 s.
	Timeout time.Duration
	// ProofTime is how long a member must not respond before it is replaced. Default 5 s.
	ProofTime time.Duration
}

// Inspector describes the members of a cluster, and removes them. It is safe for concurrent
// use.
type Inspector struct {
	client *clientv3.Client
	opts   Options
}

// NewInspector returns an inspector of the cluster of the client, which the caller closes.
func NewInspector(client *clientv3.Client, opts Options) *Inspector {
	if opts.PeerTLS == nil {
		opts.PeerTLS = opts.TLS
	}
	if opts.Timeout == 0 {
		opts.Timeout = 3 * time.Second
	}
	if opts.ProofTime == 0 {
		opts.ProofTime = 5 * time.Second
	}
	return &Inspector{client: client, opts: opts}
}

// Cluster describes the cluster. Without a quorum it describes the members that the member of
// the client has stored. It takes at most about twice Options.Timeout, however many members do
// not respond. It returns an error if no list of members can be read.
func (i *Inspector) Cluster(ctx context.Context) (membership.Cluster, error) {
	confirmed := make(chan listResult, 1)
	go func() { confirmed <- i.list(ctx, List) }()
	timings := make(chan timingResult, 1)
	go func() { timings <- i.timings(ctx) }()
	stored := i.list(ctx, ListLocal)
	cluster := i.describe(ctx, stored.members)
	switch result := <-confirmed; {
	case result.err == nil && !slices.EqualFunc(result.members.List, stored.members.List, isSameEntry):
		cluster = i.describe(ctx, result.members)
	case result.err == nil:
	case stored.err == nil:
		cluster.IsLocal = true
	default:
		return membership.Cluster{}, fmt.Errorf("list the members of etcd: %w", result.err)
	}
	setTimings(&cluster, <-timings)
	return cluster, nil
}

// timingResult is the stored timing, and the one that each member has reported. It is empty for
// a cluster without them, and if they cannot be read.
type timingResult struct {
	stored  Timing
	running map[uint64]Timing
}

func (i *Inspector) timings(ctx context.Context) (result timingResult) {
	ctx, cancel := context.WithTimeout(ctx, i.opts.Timeout)
	defer cancel()
	var err error
	if result.stored, err = LoadTiming(ctx, i.client); err != nil {
		return timingResult{}
	}
	if result.running, err = RunningTimings(ctx, i.client); err != nil {
		return timingResult{}
	}
	return result
}

func setTimings(cluster *membership.Cluster, timings timingResult) {
	cluster.Timing = membership.Timing(timings.stored)
	for n := range cluster.Members {
		m := &cluster.Members[n]
		m.Timing = membership.Timing(timings.running[m.ID])
	}
}

// listResult is a list of members, or why it could not be read.
type listResult struct {
	members Members
	err     error
}

func (i *Inspector) list(ctx context.Context, list func(context.Context, *clientv3.Client) (Members, error)) listResult {
	ctx, cancel := context.WithTimeout(ctx, i.opts.Timeout)
	defer cancel()
	members, err := list(ctx, i.client)
	return listResult{members, err}
}

func isSameEntry(a, b Member) bool {
	return a.ID == b.ID && a.Name == b.Name && a.IsLearner == b.IsLearner && slices.Equal(a.ClientURLs, b.ClientURLs) && slices.Equal(a.PeerURLs, b.PeerURLs)
}

// describe contacts the members of a list.
func (i *Inspector) describe(ctx context.Context, list Members) membership.Cluster {
	cluster := membership.Cluster{ID: list.ClusterID}
	for _, m := range list.List {
		cluster.Members = append(cluster.Members, membership.Member{
			ID: m.ID, Name: m.Name, PeerURLs: m.PeerURLs, ClientURLs: m.ClientURLs, IsLearner: m.IsLearner,
		})
	}
	i.probeAll(ctx, &cluster)
	setLags(cluster.Members)
	return cluster
}

// setLags sets how far each member is behind the leader.
func setLags(members []membership.Member) {
	leader := slices.IndexFunc(members, func(m membership.Member) bool { return m.IsLeader })
	if leader < 0 {
		return
	}
	for i := range members {
		if m := &members[i]; m.RaftIndex > 0 && m.RaftIndex < members[leader].RaftIndex {
			m.RaftLag = members[leader].RaftIndex - m.RaftIndex
		}
	}
}
