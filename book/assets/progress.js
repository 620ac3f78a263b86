// A reader's progress: which quiz questions were answered right and which exercises solved. It stays in this browser, in
// the form of the file my_progress.json that the notebooks write: by lesson, `exercises` (names of their checks) and
// `quiz` (question: tries until right). LESSONS, what there is to do, is in lessons.js, which the build writes.
const KEY = "my_progress";

// What is stored, without what has another form: somebody else's, or that of another version.
const whole = (stored) => {
  const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
  const kept = Object.entries(isObject(stored) ? stored : {}).filter(
    ([lesson, done]) => lesson in LESSONS && isObject(done) && Array.isArray(done.exercises) && isObject(done.quiz),
  );
  return Object.fromEntries(kept);
};

const progress = {
  done: {},
  load() {
    try {
      this.done = whole(JSON.parse(localStorage.getItem(KEY)));
    } catch {
      this.done = {}; // storage is switched off, or holds something else: the page counts until it is left
    }
  },
  of(lesson) {
    return this.done[lesson] ?? { exercises: [], quiz: {} };
  },
  change(lesson, edit) {
    this.load(); // another page may have changed it
    edit((this.done[lesson] ??= { exercises: [], quiz: {} }));
    this.save();
  },
  save() {
    try {
      localStorage.setItem(KEY, JSON.stringify(this.done));
    } catch {
      // as above
    }
    document.dispatchEvent(new Event("progress"));
  },
  text() {
    const sorted = Object.fromEntries(Object.keys(this.done).sort().map((lesson) => [lesson, this.done[lesson]]));
    return JSON.stringify(sorted, null, 1) + "\n";
  },
  // How much of a lesson is done, of what there is.
  count(lesson) {
    const { exercises, quiz } = this.of(lesson);
    const there = LESSONS[lesson];
    return {
      exercises: there.exercises.filter((name) => exercises.includes(name)).length,
      quiz: Object.keys(quiz).filter((number) => number >= 1 && number <= there.questions).length,
      first: Object.values(quiz).filter((tries) => tries === 1).length,
    };
  },
};

const lessonOf = (address) => /\/(\d\d_\w+)\.html$/.exec(new URL(address, location.href).pathname)?.[1];

// Opening an option of a quiz is a try. Only the first right answer counts, as in the notebook.
const watchQuiz = (lesson) => {
  const questions = document.querySelectorAll(".quiz[data-question]");
  if (!questions.length) return;
  const score = element("p", { className: "quiz-score" });
  score.setAttribute("role", "status");
  questions[0].before(score);
  const show = () => {
    const { quiz, first } = progress.count(lesson);
    score.textContent = `Answered right: ${quiz} of ${questions.length}, ${first} of them at the first try.`;
    for (const question of questions) {
      question.classList.toggle("answered", question.dataset.question in progress.of(lesson).quiz);
    }
  };
  for (const question of questions) {
    const tried = new Set();
    for (const option of question.querySelectorAll("details")) {
      option.addEventListener("toggle", () => {
        if (!option.open || printing()) return;
        tried.add(option);
        if ("right" in option.dataset) {
          progress.change(lesson, ({ quiz }) => (quiz[question.dataset.question] ??= tried.size));
        }
      });
    }
  }
  document.addEventListener("progress", show);
  show();
};

// Before printing all that is folded is opened, which is not an answer.
const printing = () => unfolded.size > 0;

const watchExercises = (lesson) => {
  for (const place of document.querySelectorAll(".exercise[data-check]")) {
    const box = element("input", { type: "checkbox" });
    const name = place.dataset.check;
    box.addEventListener("change", () =>
      progress.change(lesson, (done) => {
        done.exercises = done.exercises.filter((other) => other !== name);
        if (box.checked) done.exercises.push(name);
      }),
    );
    const show = () => (box.checked = progress.of(lesson).exercises.includes(name));
    document.addEventListener("progress", show);
    show();
    place.append(element("label", {}, box, " I have solved it"));
  }
};

// Beside each lesson in the menu, what is done of it.
const showInMenu = () => {
  for (const link of document.querySelectorAll(".bd-links a[href]")) {
    const lesson = lessonOf(link.href);
    if (!(lesson in LESSONS)) continue;
    const mark = element("span", { className: "done" });
    link.append(mark);
    const show = () => {
      const { exercises, quiz } = progress.count(lesson);
      const all = LESSONS[lesson].exercises.length + LESSONS[lesson].questions;
      mark.textContent = exercises + quiz ? ` ${exercises + quiz} of ${all} done` : "";
    };
    document.addEventListener("progress", show);
    show();
  }
};

// On the front page: a table, and the reader's file.
const showTable = (place) => {
  const body = element("tbody", {});
  const head = element("tr", {}, ...["lesson", "exercises", "quiz"].map((text) => element("th", { scope: "col" }, text)));
  const table = element("table", { className: "table" }, element("thead", {}, head), body);
  const save = element("button", { type: "button" }, "Save as my_progress.json");
  const forget = element("button", { type: "button" }, "Forget my progress");
  save.addEventListener("click", () => {
    const file = URL.createObjectURL(new Blob([progress.text()], { type: "application/json" }));
    element("a", { href: file, download: "my_progress.json" }).click();
    URL.revokeObjectURL(file);
  });
  forget.addEventListener("click", () => {
    if (!confirm("Delete what this browser has saved of your progress?")) return;
    progress.done = {};
    progress.save();
  });
  const show = () => {
    const rows = Object.entries(LESSONS).map(([lesson, { title, exercises, questions }]) => {
      const done = progress.count(lesson);
      const cells = [`${done.exercises} of ${exercises.length}`, `${done.quiz} of ${questions}`];
      const link = element("a", { href: `notebooks/${lesson}.html` }, title);
      return element("tr", {}, element("td", {}, link), ...cells.map((text) => element("td", {}, text)));
    });
    body.replaceChildren(...rows);
  };
  document.addEventListener("progress", show);
  show();
  place.append(table, element("p", { className: "progress-buttons" }, save, " ", forget));
};

document.addEventListener("DOMContentLoaded", () => {
  progress.load();
  const lesson = lessonOf(location.href);
  if (lesson in LESSONS) {
    watchQuiz(lesson);
    watchExercises(lesson);
  }
  showInMenu();
  document.querySelectorAll(".reader-progress").forEach(showTable);
});
// What another page of the book saves shows here, too.
addEventListener("storage", ({ key }) => {
  if (key !== KEY && key !== null) return;
  progress.load();
  document.dispatchEvent(new Event("progress"));
});
