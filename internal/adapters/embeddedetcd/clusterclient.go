package embeddedetcd

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"galaxy/rtmanager/internal/etcdcluster"
)

// probeTimeout bounds a request to one other member at the start.
const probeTimeout = 3 * time.Second

// memberTLS returns the TLS settings for connections to the URL of another member; nil for http.
func memberTLS(cfg Config, url string) (*tls.Config, error) {
	if cfg.Cluster == nil || !strings.HasPrefix(url, "https:") {
		return nil, nil
	}
	info := cfg.Cluster.TLS.info()
	config, err := info.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("certificates for other members: %w", err)
	}
	return config, nil
}

// dialMember returns a client of the URLs of other members.
func dialMember(cfg Config, urls []string) (*clientv3.Client, error) {
	config, err := memberTLS(cfg, urls[0])
	if err != nil {
		return nil, err
	}
	return clientv3.New(clientv3.Config{Endpoints: urls, TLS: config, Logger: zap.NewNop(), DialTimeout: probeTimeout, MaxUnaryRetries: 1})
}

// requestVersion requests the version of the member at the URL. Unlike clients of etcd, it returns
// why a connection fails.
func requestVersion(ctx context.Context, cfg Config, url string) error {
	config, err := memberTLS(cfg, url)
	if err != nil {
		return &ConfigError{Field: FieldJoin, Err: err}
	}
	transport := &http.Transport{TLSClientConfig: config}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(url, "/")+"/version", nil)
	if err != nil {
		return &ConfigError{Field: FieldJoin, Err: err}
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// connectToCluster returns a client of the members that respond at the URLs to join. It returns a
// *ConfigError if certificates are rejected, or if the URLs are of several clusters.
func connectToCluster(ctx context.Context, cfg Config) (*clientv3.Client, error) {
	responding, err := probeAll(ctx, cfg, cfg.Cluster.Join)
	if err != nil {
		return nil, err
	}
	return dialMember(cfg, responding)
}

// requestMembers requests the member list of the member at a peer URL. A member serves it there as
// soon as it runs, without a quorum. It returns an error if the member is of another cluster.
func requestMembers(ctx context.Context, cfg Config, peerURL string, clusterID uint64) (members []SnapshotMember, err error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	transport := &http.Transport{}
	if strings.HasPrefix(peerURL, "https:") {
		info := cfg.PeerTLS.info()
		if transport.TLSClientConfig, err = info.ClientConfig(); err != nil {
			return nil, err
		}
	}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, peerURL+"/members", nil)
	if err != nil {
		return nil, err
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if found := response.Header.Get("X-Etcd-Cluster-ID"); found != strconv.FormatUint(clusterID, 16) {
		return nil, fmt.Errorf("the member at %s is of cluster %s", peerURL, found)
	}
	return members, json.NewDecoder(response.Body).Decode(&members)
}

// probeAll returns the URLs whose members respond. It returns an error if none does.
func probeAll(ctx context.Context, cfg Config, urls []string) (responding []string, err error) {
	clusters, errs := make([]uint64, len(urls)), make([]error, len(urls))
	var probes sync.WaitGroup
	for i, url := range urls {
		probes.Go(func() { clusters[i], errs[i] = probe(ctx, cfg, url) })
	}
	probes.Wait()
	var clusterIDs []uint64
	for i, url := range urls {
		if errs[i] == nil {
			responding = append(responding, url)
			clusterIDs = append(clusterIDs, clusters[i])
		}
	}
	slices.Sort(clusterIDs)
	switch clusterIDs = slices.Compact(clusterIDs); {
	case len(clusterIDs) > 1:
		return nil, joinError(cfg, errors.New("the URLs are of members of different clusters"))
	case len(clusterIDs) == 1:
		return responding, nil
	}
	err = errors.Join(errs...)
	if invalid, isFinal := errors.AsType[*ConfigError](err); isFinal {
		return nil, invalid
	}
	if slices.ContainsFunc(errs, etcdcluster.IsCertificateError) {
		return nil, joinError(cfg, fmt.Errorf("certificates do not match; those of this host must be issued by the authority of the cluster: %w", err))
	}
	return nil, err
}

// probe returns the cluster id of the member at the URL.
func probe(ctx context.Context, cfg Config, url string) (clusterID uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	if err := requestVersion(ctx, cfg, url); err != nil {
		return 0, fmt.Errorf("%s: %w", url, err)
	}
	client, err := dialMember(cfg, []string{url})
	if err != nil {
		return 0, &ConfigError{Field: FieldJoin, Err: err}
	}
	defer func() { _ = client.Close() }()
	members, err := etcdcluster.ListLocal(ctx, client)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", url, err)
	}
	return members.ClusterID, nil
}

// measureRoundTrip returns the round trip to the first of the URLs that responds.
func measureRoundTrip(ctx context.Context, urls []string, cfg Config) (roundTrip time.Duration, err error) {
	err = errors.New("it has not started")
	for _, url := range urls {
		if roundTrip, err = measureURL(ctx, url, cfg); err == nil {
			return roundTrip, nil
		}
	}
	return 0, err
}

func measureURL(ctx context.Context, url string, cfg Config) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*probeTimeout)
	defer cancel()
	client, err := dialMember(cfg, []string{url})
	if err != nil {
		return 0, err
	}
	defer func() { _ = client.Close() }()
	return etcdcluster.RoundTrip(ctx, client)
}

// localListOf returns the member list that the member at the URL has stored.
func localListOf(ctx context.Context, cfg Config, url string) (etcdcluster.Members, error) {
	if !isListening(ctx, url) {
		return etcdcluster.Members{}, errNotListening
	}
	client, err := dialMember(cfg, []string{url})
	if err != nil {
		return etcdcluster.Members{}, err
	}
	defer func() { _ = client.Close() }()
	return etcdcluster.ListLocal(ctx, client)
}

// errNotListening is the error of a URL at which no program listens.
var errNotListening = errors.New("no program listens there")

// memberList is the member list of another member.
type memberList struct {
	url            string
	members        etcdcluster.Members
	isLinearizable bool
}

// listsOf returns the member lists of the other members that respond, those of this cluster first, and
// of these the linearizable ones.
func listsOf(ctx context.Context, cfg Config, info clusterInfo) (found []memberList) {
	var urls []string
	for _, other := range info.Others {
		urls = append(urls, other.ClientURLs...)
	}
	lists := make([]*memberList, len(urls))
	var requests sync.WaitGroup
	for i, url := range urls {
		requests.Go(func() { lists[i] = listOf(ctx, cfg, url) })
	}
	requests.Wait()
	for _, list := range lists {
		if list != nil {
			found = append(found, *list)
		}
	}
	slices.SortStableFunc(found, func(a, b memberList) int { return rank(a, info) - rank(b, info) })
	return found
}

// rank orders lists for listsOf.
func rank(l memberList, info clusterInfo) int {
	switch {
	case l.members.ClusterID != uint64(info.ClusterID):
		return 2
	case l.isLinearizable:
		return 0
	default:
		return 1
	}
}

// listOf returns the member list of the member at the URL, and nil if it does not respond.
func listOf(ctx context.Context, cfg Config, url string) *memberList {
	if !isListening(ctx, url) {
		return nil
	}
	client, err := dialMember(cfg, []string{url})
	if err != nil {
		return nil
	}
	defer func() { _ = client.Close() }()
	local := make(chan *memberList, 1)
	go func() {
		defer close(local)
		if members, err := etcdcluster.ListLocal(ctx, client); err == nil {
			local <- &memberList{url: url, members: members}
		}
	}()
	members, err := etcdcluster.List(ctx, client)
	if err == nil {
		return &memberList{url: url, members: members, isLinearizable: true}
	}
	return <-local // without a quorum
}

// isListening reports whether a program listens at the URL. It responds at once if the host is up,
// unlike a request that waits for a server.
func isListening(ctx context.Context, address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	network, target := "tcp", u.Host
	if u.Scheme == "unix" {
		network, target = "unix", u.Path
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, target)
	if err != nil {
		return false
	}
	return conn.Close() == nil
}

// isMemberAt reports whether a member with the id responds at the URL.
func isMemberAt(ctx context.Context, cfg Config, url string, id uint64) bool {
	status, err := statusAt(ctx, cfg, url)
	return err == nil && status.Header.GetMemberId() == id
}

// statusAt returns the status of the member at the URL.
func statusAt(ctx context.Context, cfg Config, url string) (*clientv3.StatusResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	if !isListening(ctx, url) {
		return nil, errNotListening
	}
	client, err := dialMember(cfg, []string{url})
	if err != nil {
		return nil, err
	}
	defer func() { _ = client.Close() }()
	return client.Status(ctx, url)
}
