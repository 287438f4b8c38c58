// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"os"
	"os/user"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// agentName is telemetry.distro.name and telemetry.sdk.name. The latter must
// not be "opentelemetry", which is reserved for the OpenTelemetry SDKs: spans
// are built by this agent.
const agentName = "tracer-agent"

// instanceNamespace is the UUID namespace that the semantic conventions fix
// for service.instance.id.
const instanceNamespace = "4d63009a-8d0f-11ee-aad7-4c796ed8e320"

// unknownService is what the semantic conventions call a service without a name.
const unknownService = "unknown_service"

// maxOwners bounds the cache of user names.
const maxOwners = 1024

// resources builds the Resource of a process. Not safe for concurrent use.
type resources struct {
	host      []attribute.KeyValue
	agent     []attribute.KeyValue
	bootID    string
	namespace uuid.UUID
	owners    map[uint32]string
}

func newResources(opts Options) *resources {
	r := &resources{
		bootID:    readLine(filepath.Join(opts.ProcRoot, "sys/kernel/random/boot_id")),
		namespace: uuid.MustParse(instanceNamespace),
		owners:    map[uint32]string{},
	}
	r.host = append(r.host, semconv.OSTypeLinux)
	if opts.HostName != "" {
		r.host = append(r.host, semconv.HostName(opts.HostName))
	}
	if id := readLine(filepath.Join(opts.HostRoot, "etc/machine-id")); id != "" {
		r.host = append(r.host, semconv.HostID(id))
	}
	r.agent = []attribute.KeyValue{
		semconv.TelemetryDistroName(agentName),
		semconv.TelemetryDistroVersion(opts.Version),
		semconv.TelemetrySDKName(agentName),
		semconv.TelemetrySDKVersion(opts.Version),
		semconv.TelemetrySDKLanguageGo,
	}
	return r
}

func readLine(name string) string {
	data, err := os.ReadFile(name)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// build describes the program in p. The process's own environment wins over
// everything but its place in the cluster and what describes this agent: whoever deploys a service knows its
// name better than a rule that may match many. service.name in order:
// OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, the pod's annotation, the rule's
// name, the pod's labels and owner, the systemd service, the program. The error tells of a malformed environment; the
// resource is usable even so.
func (r *resources) build(p *process, ruleName string) (*resource.Resource, string, error) {
	attrs := append([]attribute.KeyValue(nil), r.host...)
	attrs = append(attrs, semconv.ServiceName(serviceName(p, ruleName)))
	attrs = append(attrs, r.process(p)...)
	pod, known := p.pod()
	if known == yes {
		attrs = append(attrs, podService(pod)...)
	}
	own, err := ownAttributes(p)
	attrs = append(attrs, own...)
	if known == yes {
		attrs = append(attrs, podIdentity(pod, containerID(p))...)
	}
	attrs = append(attrs, r.agent...)
	res := resource.NewWithAttributes(semconv.SchemaURL, attrs...) // the last of equal keys wins
	name, _ := res.Set().Value(semconv.ServiceNameKey)
	return res, name.AsString(), err
}

// unseen describes a process that ended before it could be looked at. exe is ""
// if nobody knows what it ran.
func (r *resources) unseen(tgid uint32, ruleName, exe string) (*resource.Resource, string) {
	attrs := append([]attribute.KeyValue(nil), r.host...)
	attrs = append(attrs, semconv.ProcessPID(int(tgid)))
	service := unknownService
	if exe != "" {
		attrs = append(attrs, semconv.ProcessExecutablePath(exe), semconv.ProcessExecutableName(path.Base(exe)))
		service = programName(exe, nil)
	}
	if ruleName != "" {
		service = ruleName
	}
	attrs = append(attrs, semconv.ServiceName(service))
	return resource.NewWithAttributes(semconv.SchemaURL, append(attrs, r.agent...)...), service
}

func (r *resources) process(p *process) []attribute.KeyValue {
	attrs := []attribute.KeyValue{
		semconv.ProcessPID(int(p.pid)),
		semconv.ServiceInstanceID(r.instanceID(p)),
	}
	if exe, err := p.exe(); err == nil {
		attrs = append(attrs, semconv.ProcessExecutablePath(exe), semconv.ProcessExecutableName(path.Base(exe)))
	}
	cg, err := p.cgroup()
	if err == nil && cg.container.id != "" {
		// The host's user database does not name a container's users.
		return append(attrs, containerOutside(p, cg.container)...)
	}
	if owner := r.owner(p); owner != "" {
		attrs = append(attrs, semconv.ProcessOwner(owner))
	}
	return attrs
}

// containerOutside describes a container that is in no pod, or whose pod is not
// known. The name is what the runtime's state says, if that can be read.
func containerOutside(p *process, c container) []attribute.KeyValue {
	attrs := []attribute.KeyValue{semconv.ContainerID(c.id)}
	if c.runtime == "" {
		return attrs
	}
	attrs = append(attrs, semconv.ContainerRuntimeName(c.runtime))
	if name, err := p.fs.containers.name(c); err == nil {
		attrs = append(attrs, semconv.ContainerName(name))
	}
	return attrs
}

func containerID(p *process) string {
	cg, err := p.cgroup()
	if err != nil {
		return ""
	}
	return cg.container.id
}

// instanceID is the same for a program instance as long as it runs, whatever
// the agent does: a UUID version 5 of boot, pid and start time.
func (r *resources) instanceID(p *process) string {
	source := r.bootID + "/" + strconv.Itoa(int(p.pid)) + "/" + strconv.FormatUint(p.stat.start, 10)
	return uuid.NewSHA1(r.namespace, []byte(source)).String()
}

func (r *resources) owner(p *process) string {
	uid, err := p.euid()
	if err != nil {
		return ""
	}
	if name, ok := r.owners[uid]; ok {
		return name
	}
	name := ""
	if u, err := user.LookupId(strconv.FormatUint(uint64(uid), 10)); err == nil {
		name = u.Username
	}
	if len(r.owners) >= maxOwners {
		clear(r.owners)
	}
	r.owners[uid] = name
	return name
}

// serviceName names the service where its environment does not.
func serviceName(p *process, ruleName string) string {
	if ruleName != "" {
		return ruleName
	}
	if pod, known := p.pod(); known == yes {
		return pod.ServiceName()
	}
	if cg, err := p.cgroup(); err == nil && cg.service != "" {
		return unitService(cg.service)
	}
	exe, err := p.exe()
	if err != nil {
		return unknownService
	}
	argv, _ := p.argv() // without arguments the executable's name has to do
	return programName(exe, argv)
}
