package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
	yamlreader "go.yaml.in/yaml/v2"
	"sigs.k8s.io/yaml"
)

// EnvPrefix goes before the name of every environment variable: the flag
// --data-dir is also RTMANAGER_DATA_DIR.
const EnvPrefix = "RTMANAGER_"

// fileFlag names the file that gives settings, and is itself no setting.
const fileFlag = "config"

// Loader reads settings from flags, environment and a file, in this order of
// precedence.
type Loader struct {
	flags     *pflag.FlagSet
	cfg       Config
	file      string
	lookupEnv func(name string) (string, bool)
}

// Bind declares a flag for each setting. lookupEnv is os.LookupEnv, or stands
// for it.
func Bind(flags *pflag.FlagSet, lookupEnv func(name string) (string, bool)) *Loader {
	l := &Loader{flags: pflag.NewFlagSet("settings", pflag.ContinueOnError), cfg: Default(), lookupEnv: lookupEnv}
	f, c := l.flags, &l.cfg
	f.StringVar(&l.file, fileFlag, "", "`FILE` of settings in YAML, named as the flags are; flags and environment win over it")
	f.StringVar(&c.DataDir, "data-dir", c.DataDir, "`DIR` of the embedded etcd's data")
	f.StringVar(&c.Listen, "listen", c.Listen, "`HOST:PORT` of the API; port 0 takes a free one")
	f.BoolVar(&c.Insecure, "insecure", c.Insecure, "serve other machines too, without TLS or authentication")
	f.StringSliceVar(&c.EtcdEndpoints, "etcd-endpoints", c.EtcdEndpoints, "client `URL`s of an etcd cluster to use instead of the embedded one, separated by commas")
	f.StringVar(&c.EtcdPrefix, "etcd-prefix", c.EtcdPrefix, "`PATH` that goes before every key, such as /eu")
	f.StringVar(&c.EtcdCACert, "etcd-cacert", c.EtcdCACert, "`FILE` with the authority that --etcd-endpoints are checked against")
	f.StringVar(&c.EtcdCert, "etcd-cert", c.EtcdCert, "`FILE` with the certificate shown to --etcd-endpoints")
	f.StringVar(&c.EtcdKey, "etcd-key", c.EtcdKey, "`FILE` with the key of --etcd-cert")
	f.StringVar(&c.EtcdUser, "etcd-user", c.EtcdUser, "`NAME` that --etcd-endpoints know this daemon by")
	f.StringVar(&c.EtcdPasswordFile, "etcd-password-file", c.EtcdPasswordFile, "`FILE` with the password of --etcd-user")
	f.DurationVar(&c.EtcdDialTimeout, "etcd-dial-timeout", c.EtcdDialTimeout, "how long a start waits for --etcd-endpoints to answer")
	f.StringVar(&c.EtcdListenClient, "etcd-listen-client", c.EtcdListenClient, "`URL` at which the embedded etcd serves clients such as etcdctl")
	f.StringVar(&c.EtcdListenPeer, "etcd-listen-peer", c.EtcdListenPeer, "`URL` at which the embedded etcd listens for peers")
	f.StringVar(&c.EtcdClusterToken, "etcd-cluster-token", c.EtcdClusterToken, "`NAME` of the cluster that --data-dir belongs to")
	f.Int64Var(&c.EtcdQuotaBytes, "etcd-quota-bytes", c.EtcdQuotaBytes, "`SIZE` of the embedded database at which it turns read-only, in bytes")
	f.DurationVar(&c.EtcdRetention, "etcd-retention", c.EtcdRetention, "how long the embedded etcd keeps old revisions, and a watch may be away and resume")
	f.StringVar(&c.Region, "region", c.Region, "`NAME` of the region this daemon is in")
	f.StringVar(&c.Node, "node", c.Node, "`NAME` of this daemon")
	f.StringVar(&c.Engine, "engine", c.Engine, "what runs games: `auto|docker|process|none`")
	c.bindManager(f)
	f.StringVar(&c.LogLevel, "log-level", c.LogLevel, "least `LEVEL` that is logged: debug, info, warn or error")
	f.StringVar(&c.LogFormat, "log-format", c.LogFormat, "`FORM` of the log on standard error: auto, text or json")
	flags.AddFlagSet(l.flags)
	return l
}

// Load returns the settings once the flags have been parsed. It fails with
// every fault, naming flag, variable or file, for a value that does not parse
// and for a file that cannot be read or sets what is no setting; and where there
// is no such fault, for what Validate refuses.
func (l *Loader) Load() (Config, error) {
	if err := errors.Join(l.fromEnv(), l.fromFile()); err != nil {
		return Config{}, err
	}
	// Taken for "none", it would begin a new store in silence, in a place of its own.
	if l.flags.Changed("etcd-endpoints") && l.cfg.Embedded() {
		return Config{}, errors.New("--etcd-endpoints is empty; name the client URLs of a cluster, or leave it out to embed etcd")
	}
	if err := l.cfg.Validate(); err != nil {
		return Config{}, err
	}
	return l.cfg, nil
}

// EnvOf returns the variable that stands for a flag.
func EnvOf(flag string) string {
	return EnvPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// fromEnv sets what no flag has set. An empty variable is as good as none.
func (l *Loader) fromEnv() error {
	var faults []error
	l.flags.VisitAll(func(f *pflag.Flag) {
		name := EnvOf(f.Name)
		value, given := l.lookupEnv(name)
		if f.Changed || !given || value == "" {
			return
		}
		if err := l.flags.Set(f.Name, value); err != nil {
			faults = append(faults, fmt.Errorf("environment variable %s: %w", name, err))
		}
	})
	return errors.Join(faults...)
}

// fromFile sets what neither flags nor environment have set.
func (l *Loader) fromFile() error {
	if l.file == "" {
		return nil
	}
	text, err := os.ReadFile(l.file)
	if err != nil {
		return fmt.Errorf("--config: %w", err)
	}
	settings, err := parseSettings(text)
	if err != nil {
		return fmt.Errorf("--config %s: %w", l.file, err)
	}
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		if err := l.setFromFile(name, settings[name]); err != nil {
			faults = append(faults, fmt.Errorf("--config %s: %w", l.file, err))
		}
	}
	return errors.Join(faults...)
}

// parseSettings returns the values by name. Numbers keep their digits.
func parseSettings(text []byte) (map[string]any, error) {
	converted, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		return nil, err
	}
	if err := oneDocument(text); err != nil {
		return nil, err
	}
	var settings map[string]any
	decoder := json.NewDecoder(bytes.NewReader(converted))
	decoder.UseNumber()
	if err := decoder.Decode(&settings); err != nil {
		return nil, errors.New("must be settings, one NAME: VALUE a line")
	}
	return settings, nil
}

// oneDocument looks for what the conversion to JSON would ignore.
func oneDocument(text []byte) error {
	reader := yamlreader.NewDecoder(bytes.NewReader(text))
	for range 2 {
		if err := reader.Decode(new(any)); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return errors.New("holds more than one YAML document, of which only the first would count")
}

func (l *Loader) setFromFile(name string, value any) error {
	f := l.flags.Lookup(name)
	if f == nil || name == fileFlag {
		return fmt.Errorf("%q is not a setting; settings are named as the flags of `rtmanager serve --help` are", name)
	}
	if f.Changed {
		return nil
	}
	text, err := settingText(f.Value.Type(), value)
	if err != nil {
		return fmt.Errorf("%s %w", name, err)
	}
	if err := l.flags.Set(name, text); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// settingText writes a value of YAML as a flag of that type would have it. What
// YAML has read as something else than was meant is refused: a region "no" is
// not false, and a node "0x10" is not 16.
func settingText(kind string, value any) (string, error) {
	switch kind {
	case "bool":
		if v, ok := value.(bool); ok {
			return strconv.FormatBool(v), nil
		}
		return "", errors.New("must be true or false")
	case "int64", "float64":
		if v, ok := value.(json.Number); ok {
			return v.String(), nil
		}
		return "", errors.New("must be a number")
	case "stringSlice":
		if v, ok := value.([]any); ok {
			return listText(v)
		}
	}
	if v, ok := value.(string); ok {
		return v, nil
	}
	return "", errors.New("must be a text; put it in quotes")
}

func listText(items []any) (string, error) {
	texts := make([]string, len(items))
	for i, item := range items {
		text, ok := item.(string)
		if !ok {
			return "", fmt.Errorf("must be a list of texts; item %d is none", i+1)
		}
		texts[i] = text
	}
	return strings.Join(texts, ","), nil
}
