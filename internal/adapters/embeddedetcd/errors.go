package embeddedetcd

// The fields of Config that a ConfigError can name.
const (
	FieldDataDir         = "DataDir"
	FieldListenClientURL = "ListenClientURL"
	FieldListenPeerURL   = "ListenPeerURL"
	FieldClusterToken    = "ClusterToken"
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
