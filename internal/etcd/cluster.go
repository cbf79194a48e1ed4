package etcd

import (
	"fmt"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/runtime"
)

// SetClusterID makes the client reject responses of any other cluster, and send requests to
// none of its members if it can.
func (c *Client) SetClusterID(id uint64) {
	c.clusterID.Store(id)
	if c.network != nil {
		c.network.SetClusterID(id)
	}
}

// ClusterID returns the id that SetClusterID has set, 0 before that.
func (c *Client) ClusterID() uint64 { return c.clusterID.Load() }

// CheckCluster returns runtime.ErrIncompatible for the id of another cluster, which has
// other revisions and another store identity. A restore creates a new cluster id.
func (c *Client) CheckCluster(id uint64) error {
	want := c.clusterID.Load()
	if want == 0 || id == want {
		return nil
	}
	return fmt.Errorf("%w: etcd cluster %x responded in place of cluster %x; restart rtmanager", runtime.ErrIncompatible, id, want)
}

// checkResponse checks the header of a read's response. minRevision is the
// revision that the cluster had reached before the read was sent.
func (c *Client) checkResponse(resp any, minRevision int64) error {
	var header *etcdserverpb.ResponseHeader
	switch resp := resp.(type) {
	case *clientv3.GetResponse:
		header = resp.Header
	case *clientv3.TxnResponse:
		header = resp.Header
	default:
		return nil
	}
	if header.GetRevision() < minRevision {
		c.opts.OnRegression(RegressionError(header.GetRevision(), minRevision))
	}
	return c.CheckCluster(header.GetClusterId())
}

// seenRevision returns a revision that the cluster has reached, 0 if none is known.
func (c *Client) seenRevision() int64 {
	if c.opts.SeenRevision == nil {
		return 0
	}
	return c.opts.SeenRevision()
}

// RegressionError returns the error of a cluster whose revision went back from seen. It
// errors.Is runtime.ErrForeignRevision.
func RegressionError(revision, minRevision int64) error {
	return fmt.Errorf("%w: the revision of etcd went back from %d to %d", runtime.ErrForeignRevision, minRevision, revision)
}
