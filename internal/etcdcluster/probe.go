package etcdcluster

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"galaxy/rtmanager/internal/domain/membership"
)

// report is the response of a member at one client URL.
type report struct {
	status    *pb.StatusResponse
	roundTrip time.Duration
	notAfter  time.Time
	err       error
}

// probeAll contacts all members concurrently, and adds what they report.
func (i *Inspector) probeAll(ctx context.Context, cluster *membership.Cluster) {
	var urls []string
	urls = append(urls, i.opts.Endpoints...)
	for _, m := range cluster.Members {
		urls = append(urls, m.ClientURLs...)
	}
	slices.Sort(urls)
	urls = slices.Compact(urls)
	reports := i.probeURLs(ctx, urls)
	var inProcess *report
	if i.opts.IsOwn {
		inProcess = i.probeOwn(ctx)
	}
	found := make([]*report, len(cluster.Members))
	term := uint64(0)
	for n, m := range cluster.Members {
		found[n] = findReport(cluster.ID, m, reports)
		if inProcess != nil && inProcess.status.GetHeader().GetMemberId() == m.ID {
			found[n] = inProcess
		}
		term = max(term, found[n].status.GetRaftTerm())
	}
	var wg sync.WaitGroup
	for n := range cluster.Members {
		m, r := &cluster.Members[n], found[n]
		if r.err != nil {
			m.Failure = r.err.Error()
			wg.Go(func() { m.HasPeer = i.hasPeer(ctx, m.PeerURLs) })
			continue
		}
		m.IsOwn = r == inProcess
		// A former leader that is cut off reports itself in an older term.
		m.IsLeader = r.status.GetLeader() == m.ID && r.status.GetRaftTerm() == term
		addStatus(m, r)
	}
	wg.Wait()
}

// probeURLs returns the report of each client URL.
func (i *Inspector) probeURLs(ctx context.Context, urls []string) map[string]*report {
	reports := make([]*report, len(urls))
	var wg sync.WaitGroup
	for n, target := range urls {
		wg.Go(func() { reports[n] = i.probe(ctx, target) })
	}
	wg.Wait()
	byURL := map[string]*report{}
	for n, target := range urls {
		byURL[target] = reports[n]
	}
	return byURL
}

// findReport returns the report of the member, by any client URL, or that of its first client
// URL that failed.
func findReport(clusterID uint64, m membership.Member, reports map[string]*report) *report {
	for _, r := range reports {
		if r.status != nil && r.status.GetHeader().GetMemberId() == m.ID && r.status.GetHeader().GetClusterId() == clusterID {
			return r
		}
	}
	for _, target := range m.ClientURLs {
		switch r := reports[target]; {
		case r == nil:
		case r.err != nil:
			return r
		default:
			return &report{err: fmt.Errorf("%s responds as member %x of cluster %x", target, r.status.GetHeader().GetMemberId(), r.status.GetHeader().GetClusterId())}
		}
	}
	if m.Name == "" {
		return &report{err: errors.New("it has not started yet")}
	}
	return &report{err: errors.New("it has no client URL")}
}

// probeOwn returns the report of the member in this process, nil if it does not respond.
func (i *Inspector) probeOwn(ctx context.Context) *report {
	ctx, cancel := context.WithTimeout(ctx, i.opts.Timeout)
	defer cancel()
	response, err := i.client.Status(ctx, "")
	if err != nil {
		return nil
	}
	inProcess := &report{status: (*pb.StatusResponse)(response)}
	if i.opts.OwnCertificateNotAfter != nil {
		inProcess.notAfter = i.opts.OwnCertificateNotAfter()
	}
	return inProcess
}

// probe requests the status of the member at a client URL. The second request measures the
// round trip: the first one opens the connection.
func (i *Inspector) probe(ctx context.Context, target string) *report {
	ctx, cancel := context.WithTimeout(ctx, i.opts.Timeout)
	defer cancel()
	conn, err := i.dial(target)
	if err != nil {
		return &report{err: err}
	}
	defer func() { _ = conn.Close() }()
	maintenance := pb.NewMaintenanceClient(conn)
	_, err = maintenance.Status(ctx, &pb.StatusRequest{})
	if isCredentialsMissing(err) {
		return i.probeAsUser(ctx, target, err)
	}
	if err != nil {
		return &report{err: fmt.Errorf("%s: %w", target, i.readable(err))}
	}
	var from peer.Peer
	startedAt := time.Now()
	response, err := maintenance.Status(ctx, &pb.StatusRequest{}, grpc.Peer(&from))
	if err != nil {
		return &report{err: fmt.Errorf("%s: %w", target, i.readable(err))}
	}
	found := &report{status: response, roundTrip: time.Since(startedAt)}
	if info, isTLS := from.AuthInfo.(credentials.TLSInfo); isTLS && len(info.State.PeerCertificates) > 0 {
		found.notAfter = info.State.PeerCertificates[0].NotAfter
	}
	return found
}

// isCredentialsMissing reports whether a member responds, and requires a user.
func isCredentialsMissing(err error) bool {
	translated := rpctypes.Error(err)
	return errors.Is(translated, rpctypes.ErrUserEmpty) || errors.Is(translated, rpctypes.ErrInvalidAuthToken) || errors.Is(translated, rpctypes.ErrPermissionDenied)
}

// probeAsUser requests the status by the client, which has a user. It can do so at its own
// endpoints only.
func (i *Inspector) probeAsUser(ctx context.Context, target string, rejection error) *report {
	if !slices.Contains(i.opts.Endpoints, target) {
		return &report{err: fmt.Errorf("%s: %w", target, i.readable(rejection))}
	}
	startedAt := time.Now()
	response, err := i.client.Status(ctx, target)
	if err != nil {
		return &report{err: fmt.Errorf("%s: %w", target, err)}
	}
	return &report{status: (*pb.StatusResponse)(response), roundTrip: time.Since(startedAt)}
}

// dial returns a connection to a client URL.
func (i *Inspector) dial(target string) (*grpc.ClientConn, error) {
	u, err := url.Parse(target)
	if err != nil {
		return nil, fmt.Errorf("%q is not a URL", target)
	}
	security := insecure.NewCredentials()
	if u.Scheme == "https" {
		security = credentials.NewTLS(tlsConfig(i.opts.TLS, u.Hostname()))
	}
	address := "passthrough:///" + u.Host
	if u.Scheme == "unix" {
		address = target
	}
	return grpc.NewClient(address, grpc.WithTransportCredentials(security), grpc.WithNoProxy(), grpc.WithDisableServiceConfig())
}

// tlsConfig returns the settings for connections to a host.
func tlsConfig(settings func(host string) *tls.Config, host string) *tls.Config {
	if settings == nil {
		return &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	}
	return settings(host)
}

// readable returns the error of a request for an operator.
func (i *Inspector) readable(err error) error {
	failed, _ := status.FromError(err)
	if failed.Code() == codes.DeadlineExceeded {
		return fmt.Errorf("no response within %s", i.opts.Timeout)
	}
	// The library puts the reason into the description of its transport.
	if _, reason, isDial := strings.Cut(failed.Message(), "Error while dialing: "); isDial {
		return errors.New(strings.TrimSuffix(reason, `"`))
	}
	return errors.New(failed.Message())
}

// hasPeer reports whether one of the peer URLs responds. Any response will do: only a running
// member listens there.
func (i *Inspector) hasPeer(ctx context.Context, urls []string) bool {
	ctx, cancel := context.WithTimeout(ctx, i.opts.Timeout)
	defer cancel()
	for _, target := range urls {
		u, err := url.Parse(target)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" {
			continue
		}
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: tlsConfig(i.opts.PeerTLS, u.Hostname()), DisableKeepAlives: true}}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.JoinPath("version").String(), http.NoBody)
		if err != nil {
			continue
		}
		if response, err := client.Do(request); err == nil {
			_ = response.Body.Close()
			return true
		}
	}
	return false
}

// addStatus adds what the member has reported.
func addStatus(m *membership.Member, r *report) {
	s := r.status
	m.RoundTrip, m.CertificateNotAfter = r.roundTrip, r.notAfter
	m.Version, m.DBBytes, m.DBBytesInUse = s.GetVersion(), s.GetDbSize(), s.GetDbSizeInUse()
	m.RaftIndex = s.GetRaftIndex()
	m.IsLearner = cmp.Or(m.IsLearner, s.GetIsLearner())
	m.Problems = s.GetErrors()
}
