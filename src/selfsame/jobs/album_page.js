
"use strict";
(() => {
  const find = (id) => document.getElementById(id);
  const groups = [...document.querySelectorAll(".group")];
  if (!groups.length) return;
  document.documentElement.classList.add("scripted");
  const cards = new Map(groups.map((group) => [group, [...group.querySelectorAll(".card")]]));
  const total = [...cards.values()].reduce((sum, list) => sum + list.length, 0);

  function fits(card, session, low, high) {
    const age = card.dataset.a;
    if (session && card.dataset.s !== session) return false;
    return (low === "" && high === "") || (age !== "" && (low === "" || +age >= +low) && (high === "" || +age <= +high));
  }

  function filter() {
    const [rule, session, low, high] = ["rule", "session", "youngest", "oldest"].map((id) => find(id).value);
    const kept = !find("show-left").checked, left = !find("show-kept").checked;
    let seen = 0;
    for (const [group, list] of cards) {
      const wanted = (group.classList.contains("kept") ? kept : left) && (!rule || group.id === rule);
      let here = 0;
      for (const card of list) {
        card.hidden = !fits(card, session, low, high);
        here += !card.hidden;
      }
      group.hidden = !wanted || !here;
      seen += wanted ? here : 0;
    }
    find("count").textContent = seen === total ? `${total}` : `${seen} of ${total}`;
    find("nothing").hidden = seen > 0;
  }

  function sort() {
    const order = find("sort").value, down = order.startsWith("-"), key = order.replace("-", "");
    for (const list of cards.values()) {
      const sorted = [...list];  // as they came: by date
      if (key) {
        const of = (card) => (key === "d" ? card.dataset.d : card.dataset[key] === "" ? "" : +card.dataset[key]);
        sorted.sort((a, b) => {
          const [x, y] = [of(a), of(b)];
          if (x === "" || y === "") return (x === "") - (y === "");  // what is unknown comes last
          return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1);
        });
      }
      list[0].parentNode.append(...sorted);
    }
  }

  async function copy(button) {
    const code = button.parentNode.querySelector("code");
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "copied";
    } catch {
      getSelection().selectAllChildren(code);  // the reader copies what is marked
      button.textContent = document.execCommand("copy") ? "copied" : "marked";
    }
    setTimeout(() => { button.textContent = "copy"; }, 1500);
  }

  const tools = document.querySelector(".tools");
  tools.addEventListener("submit", (event) => event.preventDefault());
  tools.addEventListener("input", (event) => (event.target.id === "sort" ? sort() : filter()));
  document.addEventListener("click", (event) => {
    const button = event.target.closest(".command button");
    if (button) copy(button);
  });
  addEventListener("pageshow", () => { sort(); filter(); });  // a browser may bring back what was chosen
})();
