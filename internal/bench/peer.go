package bench

import (
	"context"
	"fmt"
	"time"
)

// Peer is another store on the same cluster, which some rows are compared with.
type Peer interface {
	// Measure repeats the operation of a row for about the period. EtcdCPUUS of the result
	// is 0.
	Measure(ctx context.Context, row string, period time.Duration) (Side, error)
	// Close ends the peer.
	Close() error
}

// StartPeer starts a peer that writes below the prefix. The run removes the keys.
type StartPeer func(ctx context.Context, cluster Cluster, options Options, prefix string) (Peer, error)

// PeerRows returns the names of the rows that a peer measures.
func PeerRows() []string { return []string{"update-latency", updateRateName, "get-rate", "list"} }

// startPeer starts the peer if the run compares with one.
func (r *runner) startPeer(ctx context.Context) (err error) {
	if !r.options.hasPeer() {
		return nil
	}
	r.progress(Progress{Activity: "start " + r.options.Against})
	if r.peer, err = r.options.StartPeer(ctx, r.cluster, r.options, r.prefix+"/peer"); err != nil {
		r.peer = nil
		return fmt.Errorf("start %s: %w", r.options.Against, err)
	}
	return nil
}

// peerSubject measures a row of a peer.
type peerSubject struct {
	peer Peer
	row  string
}

// measure implements subject. It adds the CPU time of the members.
func (s peerSubject) measure(ctx context.Context, cluster Cluster, period time.Duration) (Side, error) {
	before, err := cluster.readCPU(ctx)
	if err != nil {
		return Side{}, err
	}
	side, err := s.peer.Measure(ctx, s.row, period)
	if err != nil {
		return Side{}, err
	}
	if err := sleep(ctx, min(maxCommitTime, period/4)); err != nil {
		return Side{}, err
	}
	after, err := cluster.readCPU(ctx)
	if err != nil {
		return Side{}, err
	}
	side.EtcdCPUUS = microseconds(after.minus(before).etcd) / float64(max(side.Operations, 1))
	return side, nil
}
