// A load client that checks every answer, on the HTTP and TLS stack of the Kubernetes API server: Go's own.
//
//	client -questions FILE -ca FILE [-cert FILE] -targets HOST:PORT[,...] [-ready URL[,...]] [-clients N] [-rate N]
//	       [-fresh F] [-reviews N] [-seed N]
//
// FILE has a question a line (questions.py writes it). A question is asked under a uid of its own; its answer must
// have the right status and must be, byte for byte, one of those that the decision gives.
//
// It asks until -reviews are answered or its input ends. Each line of its input ends a window: the counts since the
// last one are written as a line of JSON, under the line as their label. So are, with -reviews, every tenth of the
// way, and at the end the counts of the whole run under "total".
package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math/bits"
	"math/rand"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	timeout    = 5 * time.Second        // of the API server for a webhook, as `connhook webhook-config` registers it
	readyEvery = 100 * time.Millisecond // between two looks at /readyz
	samples    = 8                      // different failures that a report repeats
	sampleSize = 600                    // bytes of each
)

// A text with a gap for the uid; a single part has none.
type gapped [][]byte

func (g gapped) with(uid string) []byte { return bytes.Join(g, []byte(uid)) }

type answer struct {
	Status int    `json:"status"`
	Body   gapped `json:"body"`
}

type question struct {
	Path    string   `json:"path"`
	Body    gapped   `json:"body"`
	Answers []answer `json:"answers"`
}

func (q *question) accepts(status int, body []byte, uid string) bool {
	for _, a := range q.Answers {
		if a.Status == status && bytes.Equal(a.Body.with(uid), body) {
			return true
		}
	}
	return false
}

// What happened in a window.
type counts struct {
	sent, right, wrong, lost, late, retried int64
	connections, resumed                    int64
	worst                                   time.Duration
	times                                   [64 << mantissa]int64 // a histogram
	failures                                map[string]int
}

// Buckets of the histogram are 1/128 wide.
const mantissa = 7

func bucket(d time.Duration) int {
	n := uint64(d)
	shift := bits.Len64(n) - mantissa - 1
	if shift < 0 {
		return int(n)
	}
	return shift<<mantissa + int(n>>shift)
}

// The upper end of a bucket.
func bucketEnd(i int) time.Duration {
	shift := i>>mantissa - 1
	if shift < 0 {
		return time.Duration(i)
	}
	return time.Duration(i-shift<<mantissa+1) << shift
}

func (c *counts) add(d *counts) {
	c.sent, c.right, c.wrong, c.lost = c.sent+d.sent, c.right+d.right, c.wrong+d.wrong, c.lost+d.lost
	c.late, c.retried = c.late+d.late, c.retried+d.retried
	c.connections, c.resumed = c.connections+d.connections, c.resumed+d.resumed
	if d.worst > c.worst {
		c.worst = d.worst
	}
	for i, n := range d.times {
		c.times[i] += n
	}
	for text, n := range d.failures {
		c.fail(text, n)
	}
}

func (c *counts) fail(text string, n int) {
	if c.failures == nil {
		c.failures = map[string]int{}
	}
	if _, known := c.failures[text]; known || len(c.failures) < samples {
		c.failures[text] += n
	}
}

// The time, in milliseconds, within which that share of all answers came.
func (c *counts) quantile(share float64) float64 {
	var all, seen int64
	for _, n := range c.times {
		all += n
	}
	for i, n := range c.times {
		seen += n
		if n > 0 && float64(seen) >= share*float64(all) {
			if end := bucketEnd(i); end < c.worst {
				return milliseconds(end)
			}
			break
		}
	}
	return milliseconds(c.worst)
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func (c *counts) print(label string, took time.Duration) {
	line, err := json.Marshal(map[string]any{
		"label": label, "seconds": took.Seconds(), "sent": c.sent, "right": c.right, "wrong": c.wrong, "lost": c.lost,
		"late": c.late, "retried": c.retried, "connections": c.connections, "resumed": c.resumed, "failures": c.failures,
		"p50": c.quantile(.5), "p90": c.quantile(.9), "p99": c.quantile(.99), "p999": c.quantile(.999),
		"max": milliseconds(c.worst),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", line)
}

// Where connections go: in turn to those that are ready, as those of a Service do, and if none is, to one that serves
// while it ends (kube-proxy: "proxy terminating endpoints").
type targets struct {
	addresses []string
	ready     []atomic.Bool
	turn      atomic.Uint64
}

func (t *targets) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	var dialer net.Dialer
	for range t.addresses {
		i := int(t.turn.Add(1)) % len(t.addresses)
		if t.ready[i].Load() {
			return dialer.DialContext(ctx, network, t.addresses[i])
		}
	}
	for _, address := range t.addresses {
		if connection, err := dialer.DialContext(ctx, network, address); err == nil {
			return connection, nil
		}
	}
	return nil, errors.New("no target serves")
}

func (t *targets) watch(i int, url string) {
	client := http.Client{Timeout: timeout, Transport: &http.Transport{DisableKeepAlives: true}}
	for ; ; time.Sleep(readyEvery) {
		response, err := client.Get(url)
		t.ready[i].Store(err == nil && response.StatusCode == http.StatusOK)
		if err == nil {
			response.Body.Close()
		}
	}
}

type load struct {
	questions []question
	targets   targets
	tls       *tls.Config     // of connections that begin anew,
	resuming  *tls.Config     // and of those that resume a session when they can
	kept      *http.Transport // connections that are kept, by all workers
	fresh     float64         // the share of reviews that have a new connection; every other one resumes a session
	rate      float64         // reviews a second of all workers; 0: as many as go
	reviews   int64           // 0: no end
	next      atomic.Int64
	began     time.Time
	stop      chan struct{}

	lock   sync.Mutex
	window counts
	since  time.Time
	total  counts
}

func (l *load) transport(config *tls.Config) *http.Transport {
	return &http.Transport{DialContext: l.targets.dial, TLSClientConfig: config, ForceAttemptHTTP2: true,
		MaxIdleConnsPerHost: 25, IdleConnTimeout: 90 * time.Second, DisableCompression: true}
}

// One review. `due` is when it should have been sent: what a stalled server keeps back counts as time.
func (l *load) ask(q *question, uid string, fresh bool, due time.Time, c *counts) {
	transport := l.kept
	if fresh {
		config := l.tls
		if uid[len(uid)-1]&1 == 0 {
			config = l.resuming
		}
		transport = l.transport(config)
		defer transport.CloseIdleConnections()
	}
	tries := 0
	trace := httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		tries++
		if !info.Reused {
			c.connections++
		}
	}}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, &trace), http.MethodPost,
		"https://localhost"+q.Path+"?timeout=5s", bytes.NewReader(q.Body.with(uid)))
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json, */*")
	request.GetBody = nil // so that the transport cannot send it a second time
	c.sent++
	response, err := transport.RoundTrip(request)
	var body []byte
	if err == nil {
		body, err = io.ReadAll(response.Body)
		response.Body.Close()
		if fresh && response.TLS.DidResume {
			c.resumed++
		}
	}
	took := time.Since(due)
	if tries > 1 {
		c.retried++
	}
	if took > timeout || ctx.Err() != nil {
		c.late++
	}
	if err != nil {
		c.lost++
		c.fail(err.Error(), 1)
		return
	}
	if took > c.worst {
		c.worst = took
	}
	c.times[bucket(took)]++
	if response.Header.Get("Content-Type") == "application/json" && q.accepts(response.StatusCode, body, uid) {
		c.right++
		return
	}
	c.wrong++
	c.fail(fmt.Sprintf("%s %s: %d %.*s", q.Path, uid, response.StatusCode, sampleSize, body), 1)
}

func (l *load) work(random *rand.Rand) {
	var c counts
	flushed := time.Now()
	for {
		i := l.next.Add(1) - 1
		if l.reviews > 0 && i >= l.reviews {
			break
		}
		due := time.Now()
		if l.rate > 0 {
			due = l.began.Add(time.Duration(float64(i) / l.rate * float64(time.Second)))
		}
		select {
		case <-l.stop:
			l.flush(&c)
			return
		case <-time.After(time.Until(due)):
		}
		uid := fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", random.Uint32(), random.Uint32()>>16, random.Uint32()>>20,
			random.Uint32()>>20, i)
		l.ask(&l.questions[random.Intn(len(l.questions))], uid, random.Float64() < l.fresh, due, &c)
		if time.Since(flushed) > 20*time.Millisecond {
			l.flush(&c)
			flushed = time.Now()
		}
		if l.reviews >= 10 && (i+1)%(l.reviews/10) == 0 {
			l.flush(&c)
			l.report(fmt.Sprintf("%d%%", (i+1)*100/l.reviews))
		}
	}
	l.flush(&c)
}

func (l *load) flush(c *counts) {
	l.lock.Lock()
	l.window.add(c)
	l.lock.Unlock()
	*c = counts{}
}

func (l *load) report(label string) {
	l.lock.Lock()
	defer l.lock.Unlock()
	now := time.Now()
	l.window.print(label, now.Sub(l.since))
	l.total.add(&l.window)
	l.window, l.since = counts{}, now
}

// Ends windows as the input says; the end of input is the end of the run, unless the number of reviews is.
func (l *load) listen() {
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		l.report(lines.Text())
	}
	close(l.stop)
}

func readQuestions(path string) (out []question) {
	text, err := os.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	for decoder := json.NewDecoder(bytes.NewReader(text)); decoder.More(); {
		var q question
		if err := decoder.Decode(&q); err != nil {
			log.Fatalf("%s: %v", path, err)
		}
		out = append(out, q)
	}
	if len(out) == 0 {
		log.Fatalf("%s holds no question", path)
	}
	return out
}

func readCertificates(path string) *x509.CertPool {
	pool := x509.NewCertPool()
	text, err := os.ReadFile(path)
	if err != nil || !pool.AppendCertsFromPEM(text) {
		log.Fatalf("%s holds no certificate: %v", path, err)
	}
	return pool
}

func main() {
	log.SetFlags(0)
	questions := flag.String("questions", "", "file of questions")
	ca := flag.String("ca", "", "certificates to trust, PEM")
	certificate := flag.String("cert", "", "certificate and key to show, PEM")
	addresses := flag.String("targets", "", "HOST:PORT of servers, comma list")
	ready := flag.String("ready", "", "their /readyz, in the same order; empty: always ready")
	clients := flag.Int("clients", 8, "reviews at the same time")
	seed := flag.Int64("seed", 1, "of what is asked")
	var l load
	flag.Float64Var(&l.rate, "rate", 0, "reviews a second; 0: as many as go")
	flag.Float64Var(&l.fresh, "fresh", 0.02, "share of reviews on a new connection")
	flag.Int64Var(&l.reviews, "reviews", 0, "how many in all; 0: until the input ends")
	flag.Parse()

	l.questions = readQuestions(*questions)
	l.tls = &tls.Config{RootCAs: readCertificates(*ca), ServerName: "localhost"}
	if *certificate != "" {
		pair, err := tls.LoadX509KeyPair(*certificate, *certificate)
		if err != nil {
			log.Fatal(err)
		}
		l.tls.Certificates = []tls.Certificate{pair}
	}
	l.resuming = l.tls.Clone()
	l.resuming.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	l.targets.addresses = strings.Split(*addresses, ",")
	l.targets.ready = make([]atomic.Bool, len(l.targets.addresses))
	for i := range l.targets.ready {
		l.targets.ready[i].Store(true)
	}
	if *ready != "" {
		for i, url := range strings.Split(*ready, ",") {
			go l.targets.watch(i, url)
		}
	}
	l.kept = l.transport(l.tls)
	l.stop = make(chan struct{})
	l.began = time.Now()
	l.since = l.began
	go l.listen()
	var workers sync.WaitGroup
	for i := 0; i < *clients; i++ {
		workers.Add(1)
		go func(random *rand.Rand) {
			defer workers.Done()
			l.work(random)
		}(rand.New(rand.NewSource(*seed + int64(i))))
	}
	workers.Wait()
	l.total.add(&l.window)
	l.total.print("total", time.Since(l.began))
}
