package command

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"strings"
	"time"

	"galaxy/rtmanager/internal/testkit/chaos"
	"galaxy/rtmanager/internal/testkit/chaos/check"
	"galaxy/rtmanager/internal/testkit/chaos/traffic"
)

const runUsage = `chaos run makes traffic on a cluster that exists, by default without any fault. It
creates games whose names start with chaos-ID-, reads and writes their records through
all daemons, watches them, and deletes them at the end. It writes no other game, but
faults concern everything that runs on the cluster.

Without --yes it only prints what it would do.

  chaos run --yes --daemon eu/eu-1=https://10.0.1.1:8080 --daemon us/us-1=https://10.0.2.1:8080 \
    --cacert ca.crt --token-file token --etcd-endpoints https://10.0.1.1:2379 --duration 10m \
    --fault 'daemon killed@eu-1=ssh eu-1 systemctl kill -s KILL rtmanager;ssh eu-1 systemctl start rtmanager'

Without --etcd-endpoints, or if etcd cannot be reached, the changes of etcd are not
recorded. Most rules need them and are skipped then; the report names them.
A recording has all keys of etcd below --etcd-prefix: keep it as safe as etcd itself.
Ctrl-C ends the run early: faults are repaired, the recording is checked, games are deleted.

Flags:
`

// options are the flags of run.
type options struct {
	daemons   []traffic.Daemon
	id, dir   string
	seed      uint64
	duration  time.Duration
	traffic   traffic.Config
	faults    []commandFault
	faultTime time.Duration
	api       credentials
	etcd      etcdOptions
	minimum   check.Minimum
	isAllowed bool
	arguments []string // as given
}

// idPattern matches what can be a part of the names of games.
var idPattern = regexp.MustCompile(`^[a-z0-9]{1,24}$`)

// parseRun parses the arguments of run.
func parseRun(arguments []string, stdout io.Writer) (options, error) {
	o := options{arguments: arguments}
	flags := newFlags("run", runUsage, stdout)
	flags.Func("daemon", "`REGION/NODE=URL` of a daemon; repeatable", o.addDaemon)
	flags.Func("fault", "`'NAME=INJECT;REPAIR'`: a fault by two shell commands, injected at random times; NAME may be KIND@TARGET, REPAIR may be missing; repeatable", func(text string) error {
		fault, err := parseFault(text)
		o.faults = append(o.faults, fault)
		return err
	})
	flags.DurationVar(&o.faultTime, "fault-duration", 10*time.Second, "longest `time` from the injection of a fault to its repair")
	flags.DurationVar(&o.duration, "duration", time.Minute, "`time` of traffic")
	flags.Uint64Var(&o.seed, "seed", 0, "`number` that chooses calls and faults (default random)")
	flags.StringVar(&o.id, "id", "", "`ID` in the names of games, unique on the cluster (default random)")
	flags.StringVar(&o.dir, "dir", "", "`DIR` for the recording and its page, which must not exist (default chaos-ID)")
	flags.IntVar(&o.traffic.ClientsPerTarget, "clients", 2, "`number` of clients of each daemon; each makes one call after the other")
	flags.DurationVar(&o.traffic.Pause, "pause", 20*time.Millisecond, "mean `time` between two calls of a client")
	flags.DurationVar(&o.traffic.CallTimeout, "call-timeout", 20*time.Second, "longest `time` of a call; operations have three times that")
	flags.IntVar(&o.traffic.Games, "games", 6, "`number` of games whose records clients write, without containers")
	flags.IntVar(&o.traffic.Watchers, "watchers", 2, "`number` of watchers of each daemon")
	flags.StringVar(&o.traffic.Image, "image", "", "`IMAGE` of games that are started, stopped and moved; empty starts none")
	flags.StringVar(&o.traffic.PatchImage, "patch-image", "", "`IMAGE` of the same major and minor version for patches (default --image)")
	flags.IntVar(&o.traffic.LifecycleGames, "lifecycle-games", 2, "`number` of games of --image for each daemon")
	flags.StringVar(&o.api.caFile, "cacert", "", "`FILE` with the CA certificates that verify the daemons")
	flags.StringVar(&o.api.certFile, "cert", "", "`FILE` with the client certificate for the daemons")
	flags.StringVar(&o.api.keyFile, "key", "", "`FILE` with the key of --cert")
	flags.StringVar(&o.api.tokenFile, "token-file", "", "`FILE` with a bearer token for the daemons")
	o.etcd.addFlags(flags)
	addMinimum(flags, &o.minimum)
	flags.BoolVar(&o.isAllowed, "yes", false, "run; without it the plan is printed only")
	if err := parse(flags, arguments); err != nil {
		return o, err
	}
	hasSeed := false
	flags.Visit(func(f *flag.Flag) { hasSeed = hasSeed || f.Name == "seed" })
	return o, o.complete(flags.Args(), hasSeed)
}

// addMinimum adds the flags of what a run must have.
func addMinimum(flags *flag.FlagSet, minimum *check.Minimum) {
	flags.IntVar(&minimum.Calls, "min-calls", 20, "least `number` of calls; a run with fewer proves nothing")
	flags.IntVar(&minimum.Faults, "min-faults", 0, "least `number` of faults; a run with fewer proves nothing")
}

func (o *options) addDaemon(text string) error {
	name, address, hasURL := strings.Cut(text, "=")
	region, node, hasNode := strings.Cut(name, "/")
	parsed, err := url.Parse(address)
	if !hasURL || !hasNode || region == "" || node == "" || err != nil || parsed.Host == "" || parsed.Scheme != "http" && parsed.Scheme != "https" {
		return errors.New("must be REGION/NODE=URL, such as eu/eu-1=http://10.0.1.1:8080")
	}
	for _, d := range o.daemons {
		if d.Name() == name {
			return fmt.Errorf("daemon %s is given twice", name)
		}
	}
	o.daemons = append(o.daemons, traffic.Daemon{Region: region, Node: node, URL: strings.TrimSuffix(address, "/")})
	return nil
}

// complete checks the options and sets defaults.
func (o *options) complete(rest []string, hasSeed bool) error {
	if !hasSeed {
		o.seed = randomSeed()
	}
	if o.id == "" {
		o.id = strings.ToLower(rand.Text()[:8])
	}
	if o.dir == "" {
		o.dir = o.name()
	}
	if o.traffic.PatchImage == "" {
		o.traffic.PatchImage = o.traffic.Image
	}
	if o.traffic.Image == "" {
		o.traffic.LifecycleGames = 0
	}
	switch {
	case len(rest) > 0:
		return fmt.Errorf("unexpected argument %q: run takes flags only", rest[0])
	case len(o.daemons) == 0:
		return errors.New("no daemon is given: use --daemon REGION/NODE=URL, once for each daemon")
	case !idPattern.MatchString(o.id):
		return fmt.Errorf("--id %q must have 1 to 24 of the characters a-z and 0-9", o.id)
	case o.duration <= 0 || o.faultTime <= 0 || o.traffic.Pause <= 0 || o.traffic.CallTimeout <= 0:
		return errors.New("--duration, --fault-duration, --pause and --call-timeout must be positive")
	case o.traffic.ClientsPerTarget < 1 || o.traffic.Games < 1 || o.traffic.Watchers < 1 || o.traffic.LifecycleGames < 0:
		return errors.New("--clients, --games and --watchers must be at least 1, --lifecycle-games at least 0")
	}
	return nil
}

// name returns the name of the run, with which the names of all its games start.
func (o *options) name() string { return "chaos-" + o.id }

// environment returns the cluster without its etcd.
func (o *options) environment() chaos.Environment {
	env := chaos.Environment{Layout: "existing", Daemons: o.daemons, Prefix: o.etcd.prefix}
	for _, fault := range o.faults {
		env.Faults = append(env.Faults, fault.fault(o.faultTime))
	}
	return env
}

func randomSeed() uint64 {
	var bytes [8]byte
	_, _ = rand.Read(bytes[:]) // never fails
	return binary.LittleEndian.Uint64(bytes[:])
}
