package fsck

import (
	"context"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/etcd"
	"galaxy/rtmanager/internal/ports"
)

// VerifyStatusIndex returns the revision that it read at, and the corruption that a scan of
// the index keys under the status would miss, such as a record without an index key. Each
// record has exactly one index key, so the two families have the same number of keys; only if
// they have not, it runs a full check. It does not detect one key too few together with one
// too many; Check does.
func VerifyStatusIndex(ctx context.Context, client *etcd.Client, keys layout.Keys, status runtime.Status) (int64, []*runtime.CorruptError, error) {
	resp, err := client.ReadTxn(ctx,
		clientv3.OpGet(keys.Records(), clientv3.WithPrefix(), clientv3.WithCountOnly()),
		clientv3.OpGet(keys.StatusIndex(), clientv3.WithPrefix(), clientv3.WithCountOnly()),
	)
	if err != nil {
		return 0, nil, err
	}
	revision := resp.Header.GetRevision()
	if resp.Responses[0].GetResponseRange().GetCount() == resp.Responses[1].GetResponseRange().GetCount() {
		return revision, nil, nil
	}
	c, err := Check(ctx, client, keys, revision)
	if err != nil {
		return 0, nil, err
	}
	var missed []*runtime.CorruptError
	for _, f := range c.findings {
		if c.isMissedByScan(f, keys.StatusIndexOf(status)) {
			missed = append(missed, &runtime.CorruptError{Key: f.Key, GameID: f.GameID, Reason: f.Detail})
		}
	}
	return revision, missed, nil
}

// isMissedByScan reports whether a scan of the index keys with the prefix does not find the
// cause of a finding that could concern it: a record with an unreliable status or index, found
// under another status.
func (c *Checker) isMissedByScan(f *finding, prefix string) bool {
	switch f.Kind {
	case ports.FindingIndexMissing:
		return true
	case ports.FindingKeyForeign:
		return strings.HasPrefix(f.Key, c.keys.Records())
	case ports.FindingRecordUnreadable:
		return !c.games[f.GameID].hasIndex
	case ports.FindingIndexExtra:
		return !strings.HasPrefix(f.Key, prefix)
	default:
		return false
	}
}
