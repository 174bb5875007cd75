// A page of the extension trains, in its worker: a service worker is stopped after half a minute.
chrome.action.onClicked.addListener(() => chrome.tabs.create({ url: "page.html" }));
