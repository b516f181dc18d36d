package main
import ("testing";"time";"context";"github.com/chromedp/chromedp")
func TestDbg(t *testing.T) {
	u := realUpstream(t)
	u.library(t, "library/nginx", "latest")
	s := startStowage(t)
	b := openTab(t, s)
	b.do(chromedp.Navigate(s.url), visible(`main form[action="/pull"] input[name=ref]`))
	b.do(chromedp.SendKeys(css("header input[name=ref]"), u.ref("library/nginx:latest")+"\r"))
	for i:=0;i<5;i++ {
		time.Sleep(500*time.Millisecond)
		ctx, c := context.WithTimeout(b.ctx, 2*time.Second)
		v, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href+" "+document.readyState+" "+document.querySelectorAll("input[name=platform]").length+" "+document.querySelectorAll("input[name=platform]:checked").length`))
		t.Log(v, err)
		err = chromedp.Do(ctx, chromedp.WaitReady(css(`input[name=platform]`)))
		t.Log("ready", err)
		err = chromedp.Do(ctx, chromedp.WaitVisible(css(`input[name=platform]`)))
		t.Log("visible", err)
		err = chromedp.Do(ctx, chromedp.WaitVisible(css(`input[name=platform]:checked`)))
		t.Log("checked", err)
		c()
	}
	_ = time.Now
}
