package embeddedetcd

import "fmt"

// The fields of Config that a ConfigError can name.
const (
	FieldDataDir         = "DataDir"
	FieldListenClientURL = "ListenClientURL"
	FieldListenPeerURL   = "ListenPeerURL"
	FieldClusterToken    = "ClusterToken"
	FieldMemberName      = "Cluster.Name"
	FieldJoin            = "Cluster.Join"
	FieldInit            = "Cluster.Init"
	FieldAdvertise       = "Cluster.Advertise"
	FieldCertificate     = "ClientTLS.Cert"
)

// ConfigError reports a setting that Start cannot use. A caller that knows how an
// operator changes the setting can add this to the message.
type ConfigError struct {
	// Field is the name of a field of Config.
	Field string
	// Err describes the fault. It is a *filelock.LockedError if another process uses the
	// data directory.
	Err error
}

func (e *ConfigError) Error() string { return e.Err.Error() }

func (e *ConfigError) Unwrap() error { return e.Err }

// RemovedError reports that the member was removed from its cluster, so that its data cannot be
// used any more.
type RemovedError struct {
	// Name is the name of the member, and ID its id in the cluster.
	Name string
	ID   uint64
	// Dir is the data directory. EtcdDir and ClusterFile are the parts of it that a new
	// member must not have; the others contain the games of this host.
	Dir, EtcdDir, ClusterFile string
}

func (e *RemovedError) Error() string {
	return fmt.Sprintf("this member %s (%x) was removed from its cluster, and the data of etcd in %s cannot be used any more; games continue to run; "+
		"to join as a new member, remove %s and %s and nothing else", e.Name, e.ID, e.Dir, e.EtcdDir, e.ClusterFile)
}
